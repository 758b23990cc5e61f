# Completes gleapsync's command line in bash. In ~/.bashrc:
#   eval "$(gleapsync completion bash)"
_gleapsync() {
    local words=() current prefix='' answer line i
    # Bash takes --flag=value apart into three words; here they become one again.
    for ((i = 1; i <= COMP_CWORD; i++)); do
        if ((i > 1)) && [[ ${COMP_WORDS[i]} == =* || ${COMP_WORDS[i - 1]} == = ]]; then
            current+=${COMP_WORDS[i]}
            words[${#words[@]} - 1]=$current
        else
            current=${COMP_WORDS[i]}
            words+=("$current")
        fi
    done
    # It then replaces only what is behind the last "=".
    if [[ $COMP_WORDBREAKS == *=* ]]; then
        prefix=${current%"${current##*=}"}
    fi
    COMPREPLY=()
    answer=$("${COMP_WORDS[0]}" __complete "${words[@]}" </dev/null 2>/dev/null) || return 0
    case $answer in
    :files) compopt -o default 2>/dev/null ;;
    :folders) compopt -o dirnames 2>/dev/null ;;
    ?*)
        while IFS=$'\t' read -r line _; do
            if [[ $line == *= ]]; then
                compopt -o nospace 2>/dev/null
            fi
            COMPREPLY+=("${line#"$prefix"}")
        done <<<"$answer"
        ;;
    esac
    return 0
}
complete -F _gleapsync gleapsync
