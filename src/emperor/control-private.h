/* SPDX-License-Identifier: MIT */
#pragma once

#include <jansson.h>

#include "base/addr.h"
#include "base/buf.h"
#include "base/log.h"
#include "base/sock.h"
#include "base/strv.h"
#include "emperor/control-request.h"
#include "emperor/control.h"
#include "loop/child.h"

/* What the files of the control socket share. control.c owns clients and their bytes,
 * control-command.c what is done for them, control-log.c and control-check.c two of the commands.
 *
 * A request is answered by lines of data and one last line with "ok". Whoever adds a line only
 * appends it and calls control_client_changed(); bytes are sent, and clients go, in control.c. */

struct control {
    struct court *court;
    struct loop_io io;
    struct loop_timer pause;
    struct loop_task task; /* for clients that changed */
    struct list clients;
    unsigned n_clients;
    struct log_limit refusals;
    struct addr addr;
    struct sock_file file;
};

struct control_client {
    struct control *control;
    struct list link;
    struct loop_io io;
    struct loop_timer timer; /* by then it has to have moved */
    struct buf in, out;
    bool ended;   /* it says no more */
    bool closing; /* as soon as everything is sent */
    bool changed; /* the task has to look at it */

    /* The request that is being answered; command NULL: none */
    const struct control_command *command;
    struct control_request request;
    bool has_request;        /* it has been read, and its text may still be coming */
    struct liege_list names; /* ids of the vassals that it is for */
    size_t n_begun;          /* of them */
    size_t n_failed;
    struct list waits;    /* struct control_wait */
    struct vassal *shown; /* whose log it reads; NULL: none */
    struct vassal_log_follower follower;
    uint64_t log_pos;
    struct control_check *check; /* NULL: none */
};

/* While more than this waits for a client, nothing is added. */
#define CONTROL_OUT_BYTES ((size_t)64 << 10)

/* Adds a line, takes over @line (NULL: no memory, and the client is let go). */
void control_client_put(struct control_client *cl, json_t *line);

/* A line to fill: {"v": 1}. */
json_t *control_line(void);

/* Something was added, or the command can go on. */
void control_client_changed(struct control_client *cl);

/* control-command.c */

/* Begins what cl->request asks for. */
void control_command_begin(struct control_client *cl);

/* Goes on as far as there is room; the last line ends it. */
void control_command_go_on(struct control_client *cl);

/* Lets everything go that the command holds. */
void control_command_end(struct control_client *cl);

/* A vassal has entered a state: of whoever waits for that, it is noted. */
void control_command_hear(struct vassal *v);

/* Something else that @cl waits for may have come. */
void control_command_look(struct control_client *cl);

/* control-log.c */

void control_log_begin(struct control_client *cl, struct vassal *v);

/* Adds lines as far as there is room. True: there will be more. */
bool control_log_go_on(struct control_client *cl);

/* The record of @v is about to be freed: whoever reads its log gets the rest of it. */
void control_log_lose(struct vassal *v);
void control_log_end(struct control_client *cl);

/* control-given.c */

/* Each returns 0 or a negative errno with @err. */
int control_given_add(struct control_client *cl, struct errmsg *err) _must_check_;
int control_given_remove(struct control_client *cl, struct errmsg *err) _must_check_;

/* control-check.c */

/* Starts the check of a vassal's configuration; a negative errno. */
int control_check_begin(struct control_client *cl, struct vassal *v) _must_check_;
void control_check_end(struct control_client *cl);
