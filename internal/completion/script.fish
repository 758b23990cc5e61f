# Completes gleapsync's command line in fish. Save it as
# ~/.config/fish/completions/gleapsync.fish, or:
#   gleapsync completion fish | source
function __gleapsync_candidates
    set -l words (commandline -opc)
    set -l current (commandline -ct)
    # DAY=day2 gleapsync …
    while string match -q '*=*' -- $words[1]
        set -e words[1]
    end
    type -q -- $words[1]; or return
    set -l answer ($words[1] __complete $words[2..-1] "$current" </dev/null 2>/dev/null)
    switch "$answer[1]"
        case :files :folders
            set -l parts (string match -r '^((?:--[^=]*=)?)(.*)$' -- "$current")
            if test $answer[1] = :files
                printf "$parts[2]%s\n" (__fish_complete_path $parts[3])
            else
                printf "$parts[2]%s\n" (__fish_complete_directories $parts[3] '')
            end
        case '?*'
            printf '%s\n' $answer
    end
end
complete -c gleapsync -f -a '(__gleapsync_candidates)'
