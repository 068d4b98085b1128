/**
 * The beginnings of the names of programs that listen for somebody else: for a container, a virtual machine, or the far
 * end of a tunnel. lsof shows the first nine characters of a name, ss the first fifteen.
 */
const FORWARDERS =
  /^(docker-pr|com\.docke|rootlessp|rootlessk|conmon|slirp4net|pas(ta|st)(\.avx2)?$|vpnkit|gvproxy|wslrelay|limactl|orbstack|ssh$|sshd-sess)/i;

/** Whether the name of the process says nothing of the service that is reached through it. */
export const isForwarder = (processName: string): boolean => FORWARDERS.test(processName);
