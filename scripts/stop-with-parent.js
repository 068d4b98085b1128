// Import this to be sent SIGHUP when the parent process has ended. npm passes a signal on to the shell between it and
// its script, and that shell ends without passing it on.
const PARENT_POLL_MS = 250;

const parent = process.ppid;
const poll = setInterval(() => {
  if (process.ppid === parent) return;
  clearInterval(poll);
  // Not SIGTERM: if a terminal has sent its signal to this process too, that would be the second one and mean: at once.
  process.kill(process.pid, 'SIGHUP');
}, PARENT_POLL_MS).unref();
