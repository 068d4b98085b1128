// Import this to be sent SIGTERM when the parent process has ended. npm passes a signal on to the shell between it and
// its script, and that shell ends without passing it on.
const PARENT_POLL_MS = 250;

const parent = process.ppid;
const poll = setInterval(() => {
  if (process.ppid === parent) return;
  clearInterval(poll); // a second signal would mean: at once
  process.kill(process.pid, 'SIGTERM');
}, PARENT_POLL_MS).unref();
