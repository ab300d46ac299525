/** The scripts ask `gantry completion candidates WORD…` (the last word is the one being typed), which knows all commands. */
export const bashScript = `# bash completion for gantry
_gantry() {
	local IFS=$'\\n'
	COMPREPLY=($(gantry completion candidates -- "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null))
	[[ \${#COMPREPLY[@]} -eq 0 ]] && COMPREPLY=($(compgen -f -- "\${COMP_WORDS[COMP_CWORD]}"))
}
complete -o nosort -F _gantry gantry
`;

export const zshScript = `#compdef gantry
_gantry() {
	local -a candidates
	candidates=("\${(@f)$(gantry completion candidates -- "\${(@)words[2,CURRENT]}" 2>/dev/null)}")
	if [[ -n "\${candidates[*]}" ]]; then compadd -- "\${candidates[@]}"; else _files; fi
}
compdef _gantry gantry
`;

export const fishScript = `# fish completion for gantry
function __gantry_candidates
	set -l words (commandline -opc) (commandline -ct)
	gantry completion candidates -- $words[2..-1] 2>/dev/null
end
complete -c gantry -a '(__gantry_candidates)'
`;
