// Loaded into test processes whose coverage is not measured. The processes that they start then run as outside of
// tests, without tap's record of every loaded module, which doubles the time that the service takes to start.
import processOnSpawn from 'process-on-spawn';

processOnSpawn.removeAllListeners();
