#compdef gleapsync
# Completes gleapsync's command line in zsh. In ~/.zshrc, behind compinit if that is there:
#   eval "$(gleapsync completion zsh)"
# Or save it as _gleapsync in a folder of $fpath.
_gleapsync() {
    local -a answer whole begun
    local line
    answer=("${(@f)$("${(Q)words[1]}" __complete "${(@Q)words[2,CURRENT]}" </dev/null 2>/dev/null)}")
    case $answer[1] in
    :files)
        compset -P '*='
        _files
        ;;
    :folders)
        compset -P '*='
        _files -/
        ;;
    ?*)
        for line in "${answer[@]}"; do
            # _describe takes candidate:description.
            line=${${line//:/\\:}/$'\t'/:}
            if [[ $line == *=:* ]]; then
                begun+=("$line")
            else
                whole+=("$line")
            fi
        done
        (($#whole)) && _describe gleapsync whole
        (($#begun)) && _describe gleapsync begun -S ''
        ;;
    esac
    return 0
}
if [[ $funcstack[1] == _gleapsync ]]; then
    _gleapsync "$@"
else
    (($+functions[compdef])) || { autoload -Uz compinit && compinit -i; }
    compdef _gleapsync gleapsync
fi
