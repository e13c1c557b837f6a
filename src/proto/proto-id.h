/* SPDX-License-Identifier: MIT */
#pragma once

/* What is spoken on a socket: the index into protocols[] (proto/proto.h). */
enum proto_id {
    PROTO_HTTP,
    PROTO_UWSGI,
    PROTO_FASTCGI,
    PROTO_SCGI,
    PROTO_COUNT,
};
