# SPDX-License-Identifier: MIT
# For bash: commands of liegectl, then names of vassals, or files where they are no names.
_liegectl()
{
    local word="${COMP_WORDS[COMP_CWORD]}"
    case "${COMP_WORDS[COMP_CWORD - 1]}" in
    liegectl)
        mapfile -t COMPREPLY < <(compgen -W "status top list reload stop start clear-blacklist log check
            chain-reload stop-now more fewer reopen-logs upgrade stack
            --socket --json --wait --follow --help --version" -- "$word") ;;
    status | top | reload | stop | start | clear-blacklist | log | check)
        mapfile -t COMPREPLY < <(compgen -W "$(liegectl list 2>/dev/null)" -- "$word") ;;
    esac
}
complete -o default -F _liegectl liegectl
