# SPDX-License-Identifier: MIT
# For bash: commands of liegectl, then names of vassals, or files where they are no names.
_liegectl()
{
    local word="${COMP_WORDS[COMP_CWORD]}"
    case "${COMP_WORDS[COMP_CWORD - 1]}" in
    liegectl)
        mapfile -t COMPREPLY < <(compgen -W "status top list reload stop start clear-blacklist log check add
            remove chain-reload stop-now more fewer reopen-logs upgrade stack
            --socket --json --wait --follow --on-demand --help --version" -- "$word") ;;
    status | top | reload | stop | start | clear-blacklist | log | check | add | remove)
        mapfile -t COMPREPLY < <(compgen -W "$(liegectl list 2>/dev/null)" -- "$word") ;;
    esac
}
complete -o default -F _liegectl liegectl
