/**
 * Variables by which programs find what else they execute or load: other programs, libraries, start-up files, options.
 * With one of them a manifest could run code of its own in whatever the user starts in a folder, `pa run -- git status`
 * for example, and somebody who has only cloned a repository does not expect that. The list has those of shells, of the
 * dynamic loaders and of the usual languages and tools. It cannot be complete.
 */
export const RUNNING_VARIABLES =
  '^(PATH|PATHEXT|COMSPEC|HOME|USERPROFILE|IFS|SHELL|SHELLOPTS|BASHOPTS|BASH_ENV|ZDOTDIR|PROMPT_COMMAND|PS[0-4]' +
  '|(LD|DYLD|GIT|PORT_ALLOCATOR|NPM_CONFIG|npm_config)_.*|XDG_(CONFIG|DATA)_(HOME|DIRS)|EDITOR|VISUAL|PAGER|BROWSER' +
  '|NODE_(OPTIONS|PATH)|PYTHON(PATH|HOME|STARTUP)|PERL5?(OPT|LIB|DB)|RUBY(OPT|LIB)|(JAVA_TOOL|_JAVA|JDK_JAVA)_OPTIONS)$';

const PATTERN = new RegExp(RUNNING_VARIABLES, 'i'); // on Windows, capitals make no difference

export const decidesWhatRuns = (name: string): boolean => PATTERN.test(name);
