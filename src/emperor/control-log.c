/* SPDX-License-Identifier: MIT */
/* The command that shows a vassal's log: reads the ring of vassal-log.c, from where the last lines
 * begin, as far as the client takes them. A client that follows and is too slow misses what has
 * left the ring, and is told how much. Called by control-command.c. */
#include <string.h>

#include "emperor/control-private.h"

/* Bytes that are no UTF-8 become question marks, one by one: JSON has no bytes. */
static json_t *text_of(char *line, size_t len)
{
    json_t *text = json_stringn(line, len);

    if (text)
        return text;
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)line[i] >= 0x80)
            line[i] = '?';
    return json_stringn(line, len);
}

static void on_lines(struct vassal_log_follower *f)
{
    control_client_changed(container_of(f, struct control_client, follower));
}

void control_log_begin(struct control_client *cl, struct vassal *v)
{
    cl->shown = v;
    cl->log_pos = vassal_log_last(&v->log, cl->request.lines);
    cl->follower.fn = on_lines;
    list_append(&v->log.followers, &cl->follower.link);
}

/* Adds lines while less than @bound waits. */
static void put_lines(struct control_client *cl, size_t bound)
{
    char text[VASSAL_LOG_LINE_MAX];
    uint64_t missed = 0;
    size_t len = 1;

    while (buf_len(&cl->out) < bound && len > 0) {
        len = vassal_log_line(&cl->shown->log, &cl->log_pos, text, sizeof(text), &missed);
        if (missed > 0) {
            json_t *line = control_line();
            (void)json_object_set_new(line, "missed", json_integer((json_int_t)missed));
            control_client_put(cl, line);
        }
        if (len > 0) {
            json_t *line = control_line();
            (void)json_object_set_new(line, "log", text_of(text, len));
            control_client_put(cl, line);
        }
    }
}

bool control_log_go_on(struct control_client *cl)
{
    if (!cl->shown)
        return false;
    put_lines(cl, CONTROL_OUT_BYTES);
    return cl->request.follow || buf_len(&cl->out) >= CONTROL_OUT_BYTES;
}

void control_log_lose(struct vassal *v)
{
    LIST_FOREACH (it, &v->log.followers) {
        struct control_client *cl = container_of(it, struct control_client, follower.link);
        put_lines(cl, SIZE_MAX);
        control_log_end(cl);
        control_client_changed(cl);
    }
}

void control_log_end(struct control_client *cl)
{
    list_remove(&cl->follower.link);
    cl->shown = NULL;
}
