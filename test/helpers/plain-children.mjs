// Loaded into the processes of tests whose coverage is not counted: what they start runs as it does outside tests,
// without tap's bookkeeping of every module, which doubles the time that the service takes to start.
import processOnSpawn from 'process-on-spawn';

processOnSpawn.removeAllListeners();
