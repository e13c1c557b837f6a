/* SPDX-License-Identifier: MIT */
/* The command that checks a vassal's configuration: the vassal's program is started with its
 * command line and --check, what it says is handed on line by line, and its exit code is the
 * outcome. It has CHECK_US for that. Called by control-command.c. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "emperor/control-private.h"
#include "emperor/vassal-log.h"
#include "emperor/vassal-process.h"

#define CHECK_US (60 * US_PER_SEC)

struct control_check {
    struct control_client *client;
    struct loop_child child;
    struct loop_timer timer;
    struct vassal_log output; /* its pipe, and the last of what it said */
    char pid_key[12];
};

static void check_free(struct control_check *ch)
{
    struct vassal_realm *realm = &ch->client->control->court->realm;

    if (ch->pid_key[0])
        (void)hash_remove(&realm->by_pid, ch->pid_key);
    if (ch->child.proc.pid > 0)
        proc_signal_group(&ch->child.proc, SIGKILL); /* reaped as an orphan */
    loop_child_done(&ch->child);
    loop_timer_clear(realm->loop, &ch->timer);
    vassal_log_close(&ch->output);
    vassal_log_done(&ch->output);
    ch->client->check = NULL;
    free(ch);
}

static void put_output(struct control_check *ch)
{
    char text[VASSAL_LOG_LINE_MAX];
    uint64_t pos = 0, missed = 0;
    size_t len = 0;

    while ((len = vassal_log_line(&ch->output, &pos, text, sizeof(text), &missed)) > 0) {
        json_t *line = control_line();
        for (size_t i = 0; i < len; i++)
            if ((unsigned char)text[i] >= 0x80)
                text[i] = '?';
        (void)json_object_set_new(line, "output", json_stringn(text, len));
        control_client_put(ch->client, line);
    }
}

static void on_end(struct loop_child *c, const siginfo_t *end)
{
    struct control_check *ch = container_of(c, struct control_check, child);
    struct control_client *cl = ch->client;
    struct vassal_realm *realm = &cl->control->court->realm;
    bool good = end->si_code == CLD_EXITED && end->si_status == 0;
    char how[64];
    json_t *line = control_line();

    vassal_log_close(&ch->output);
    put_output(ch);
    (void)json_object_set_new(line, "done", json_boolean(good));
    (void)json_object_set_new(line, "exit", json_string(proc_describe_end(end, how, sizeof(how))));
    control_client_put(cl, line);
    cl->n_failed += !good;
    check_free(ch);
    realm->on_end(realm);
}

static void on_timer(struct loop_timer *t)
{
    struct control_check *ch = container_of(t, struct control_check, timer);

    proc_signal_group(&ch->child.proc, SIGKILL); /* and its end follows */
}

static int start(struct control_check *ch, struct vassal *v)
{
    struct vassal_realm *realm = v->realm;
    struct launch how = vassal_launch(v);
    int output = -EBADF;

    how.check = true;
    int r = launch_check(&how, &ch->child.proc, &output);
    if (r == 0)
        r = vassal_log_open(&ch->output, output);
    if (r == 0) {
        (void)snprintf(ch->pid_key, sizeof(ch->pid_key), "%d", (int)ch->child.proc.pid);
        r = hash_put(&realm->by_pid, ch->pid_key, ch);
    }
    if (r == 0)
        r = loop_child_watch(realm->loop, &ch->child);
    if (r == 0)
        loop_timer_set(realm->loop, &ch->timer, clock_now_us() + CHECK_US);
    return r;
}

int control_check_begin(struct control_client *cl, struct vassal *v)
{
    struct control_check *ch = NULL;
    const struct monitor_item *item = vassal_item(v);

    if (item && item->config)
        return -ENOTSUP; /* a check has no pipe to read it from */
    ch = calloc(1, sizeof(*ch));
    if (!ch)
        return -ENOMEM;
    ch->client = cl;
    ch->timer.fn = on_timer;
    loop_child_init(&ch->child, on_end);
    vassal_log_init(&ch->output, v->realm->loop, NULL);
    cl->check = ch;
    int r = start(ch, v);
    if (r < 0)
        check_free(ch);
    return r;
}

void control_check_end(struct control_client *cl)
{
    if (cl->check)
        check_free(cl->check);
}
