// Each script asks `port-allocator completion --words` about the words up to the cursor, and gets a line for each word that
// may follow: the word, a tab, and its meaning. The scripts call `port-allocator` by its name and not by what was typed,
// because a key that was pressed to complete `./pa` must not execute a file of the current folder. No word is evaluated.
// What follows `--` is a command of its own, and is completed as such.

const bash = `# Completion of port-allocator (pa) for bash.
_port_allocator() {
  local i
  for ((i = 1; i < COMP_CWORD; i++)); do
    [[ \${COMP_WORDS[i]} == -- ]] || continue
    if declare -F _command_offset > /dev/null; then
      _command_offset $((i + 1))
    elif ((i + 1 == COMP_CWORD)); then
      COMPREPLY=($(compgen -c -- "$2"))
    fi
    return
  done
  local IFS=$'\\n'
  COMPREPLY=($(port-allocator completion --words -- "\${COMP_WORDS[@]:1:COMP_CWORD}" 2> /dev/null | cut -f 1))
}
complete -o bashdefault -o default -F _port_allocator port-allocator pa`;

const zsh = `#compdef port-allocator pa
# Completion of port-allocator (pa) for zsh.
_port_allocator() {
  local dashes=\${words[(i)--]}
  if ((dashes < CURRENT)); then
    shift $dashes words
    ((CURRENT -= dashes))
    _normal
    return
  fi
  local line
  local -a found
  for line in "\${(@f)$(port-allocator completion --words -- "\${(@)words[2,CURRENT]}" 2> /dev/null)}"; do
    [[ -n $line ]] && found+=("\${\${line/$'\\t'/:}%:}")
  done
  if ((\${#found})); then
    _describe port-allocator found
  else
    _files
  fi
}
if [[ $funcstack[1] == _port_allocator ]]; then
  _port_allocator "$@"
else
  compdef _port_allocator port-allocator pa
fi`;

const fish = `# Completion of port-allocator (pa) for fish.
function __port_allocator_words
    set -l words (commandline --tokenize --cut-at-cursor --current-process) (commandline --current-token --cut-at-cursor)
    port-allocator completion --words -- $words[2..] 2> /dev/null
end
function __port_allocator_is_command
    contains -- -- (commandline --tokenize --cut-at-cursor --current-process)
end
function __port_allocator_command
    set -l words (commandline --tokenize --cut-at-cursor --current-process)
    set -l first (math (contains --index -- -- $words) + 1)
    set -l current (commandline --current-token --cut-at-cursor)
    complete --do-complete (string join ' ' -- (string escape -- $words[$first..]) "$current")
end
for name in port-allocator pa
    complete --command $name --erase
    complete --command $name --condition 'not __port_allocator_is_command' --arguments '(__port_allocator_words)'
    complete --command $name --condition __port_allocator_is_command --arguments '(__port_allocator_command)'
end`;

export const scripts = { bash, zsh, fish } as const;
