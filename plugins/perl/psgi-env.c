/* SPDX-License-Identifier: MIT */
/* The environment hash of a request, by the letter of PSGI 1.1.
 *
 * This is the larger part of what the plugin costs, so nothing is computed twice. What is the same
 * for all requests is a hash that is copied whole; the hash values of all keys with a name of
 * their own are computed once; values that hardly ever change between requests (method, protocol,
 * host) are remembered, and given out as copies that share their text until someone writes to
 * them. Every application gets a hash and values of its own and may change them.
 *
 * psgi.version, psgi.errors and psgix.logger are references to one object for all requests. */
#include "psgi-env.h"

#include "psgi-errors.h"

/* Enough buckets for an environment with the fields that browsers send. */
#define N_BUCKETS 64

/* clang-format off */
#define ENV_KEYS(X)                                     \
    X(REQUEST_METHOD,   "REQUEST_METHOD")               \
    X(SCRIPT_NAME,      "SCRIPT_NAME")                  \
    X(PATH_INFO,        "PATH_INFO")                    \
    X(REQUEST_URI,      "REQUEST_URI")                  \
    X(QUERY_STRING,     "QUERY_STRING")                 \
    X(SERVER_NAME,      "SERVER_NAME")                  \
    X(SERVER_PORT,      "SERVER_PORT")                  \
    X(SERVER_PROTOCOL,  "SERVER_PROTOCOL")              \
    X(CONTENT_LENGTH,   "CONTENT_LENGTH")               \
    X(REMOTE_ADDR,      "REMOTE_ADDR")                  \
    X(REMOTE_PORT,      "REMOTE_PORT")                  \
    X(URL_SCHEME,       "psgi.url_scheme")              \
    X(INPUT,            "psgi.input")                   \
    X(CLEANUP_HANDLERS, "psgix.cleanup.handlers")
/* clang-format on */

enum env_key {
#define ENV_ENUM(id, name) ENV_##id,
    ENV_KEYS(ENV_ENUM)
#undef ENV_ENUM
        ENV_COUNT,
};

struct key {
    const char *name;
    I32 len;
    U32 hash; /* with the seed of this process */
};

/* Values that a connection, or a server, repeats. */
enum memo {
    MEMO_METHOD,
    MEMO_SCRIPT,
    MEMO_NAME,
    MEMO_PORT,
    MEMO_PROTOCOL,
    MEMO_SCHEME,
    MEMO_COUNT
};

struct psgi_env {
    HV *constant;
    SV *memos[MEMO_COUNT];
    struct key keys[ENV_COUNT];
    struct key fields[LIEGE_FIELD_COUNT];
    SV *name; /* of a field that has no id, while it is being put together */
};

/* clang-format off */
static const char *const key_names[ENV_COUNT] = {
#define ENV_NAME(id, name) [ENV_##id] = name,
    ENV_KEYS(ENV_NAME)
#undef ENV_NAME
};

static const char *const field_names[LIEGE_FIELD_COUNT] = {
    [LIEGE_FIELD_OTHER] = "",
#define FIELD_NAME(id, name, key) [LIEGE_FIELD_##id] = key,
    LIEGE_FIELDS(FIELD_NAME)
#undef FIELD_NAME
};
/* clang-format on */

static void keys_init(pTHX_ const char *const *names, size_t n, struct key *ret_keys)
{
    for (size_t i = 0; i < n; i++) {
        struct key *key = &ret_keys[i];

        key->name = names[i];
        key->len = (I32)strlen(names[i]);
        PERL_HASH(key->hash, key->name, (STRLEN)key->len);
    }
}

/* A boolean that the application may overwrite in its copy, unlike PL_sv_yes. */
static SV *new_bool(pTHX_ bool value)
{
    return newSVsv(boolSV(value));
}

static HV *constant_new(pTHX)
{
    const struct liege_host *host = interp.host;
    HV *hv = newHV();
    AV *version = newAV();
    SV *software = newSVpvf("liege/%s", host->version);

    av_push(version, newSViv(1));
    av_push(version, newSViv(1));
    hv_ksplit(hv, N_BUCKETS);
    (void)hv_stores(hv, "psgi.version", newRV_noinc((SV *)version));
    (void)hv_stores(hv, "psgi.errors", psgi_errors_new(aTHX));
    (void)hv_stores(hv, "psgi.multithread", new_bool(aTHX_ host->multithread));
    (void)hv_stores(hv, "psgi.multiprocess", new_bool(aTHX_ host->multiprocess));
    (void)hv_stores(hv, "psgi.run_once", new_bool(aTHX_ false));
    (void)hv_stores(hv, "psgi.nonblocking", new_bool(aTHX_ false));
    (void)hv_stores(hv, "psgi.streaming", new_bool(aTHX_ true));
    (void)hv_stores(hv, "psgix.input.buffered", new_bool(aTHX_ true));
    (void)hv_stores(hv, "psgix.logger", psgi_logger_new(aTHX));
    (void)hv_stores(hv, "psgix.cleanup", new_bool(aTHX_ true));
    (void)hv_stores(hv, "SERVER_SOFTWARE",
                    newSVpvn_share(SvPVX(software), (I32)SvCUR(software), 0));
    SvREFCNT_dec_NN(software);
    return hv;
}

struct psgi_env *psgi_env_new(pTHX)
{
    struct psgi_env *env = NULL;

    Newxz(env, 1, struct psgi_env); /* Newxz() does not return without memory */
    env->constant = constant_new(aTHX);
    env->name = newSVpvs("HTTP_");
    for (size_t i = 0; i < MEMO_COUNT; i++)
        env->memos[i] = newSVpvs_share("");
    keys_init(aTHX_ key_names, ENV_COUNT, env->keys);
    keys_init(aTHX_ field_names, LIEGE_FIELD_COUNT, env->fields);
    return env;
}

/* A value of its own for one request, cheap when it is the same as last time. */
static SV *memo_sv(pTHX_ struct psgi_env *env, enum memo which, struct liege_str text)
{
    SV *sv = env->memos[which];

    if (SvCUR(sv) != text.len || memNE(SvPVX_const(sv), text.data, text.len)) {
        SvREFCNT_dec_NN(sv);
        sv = newSVpvn_share(text.data, (I32)text.len, 0);
        env->memos[which] = sv;
    }
    return newSVsv(sv);
}

static void store(pTHX_ HV *hv, const struct key *key, SV *value)
{
    (void)hv_store(hv, key->name, key->len, value, key->hash);
}

static void store_str(pTHX_ HV *hv, const struct key *key, struct liege_str text)
{
    /* Perl makes an undefined value of NULL. */
    store(aTHX_ hv, key, newSVpvn(text.data ? text.data : "", text.len));
}

/* "X-Foo" has the key "HTTP_X_FOO". */
static void store_other(pTHX_ struct psgi_env *env, HV *hv, const struct liege_field *field)
{
    static const STRLEN prefix = sizeof("HTTP_") - 1;
    SV *name = env->name;

    char *to = SvGROW(name, prefix + field->name.len + 1) + prefix;
    for (size_t i = 0; i < field->name.len; i++)
        to[i] = field->name.data[i] == '-' ? '_' : toUPPER_A(field->name.data[i]);
    (void)hv_store(hv, SvPVX(name), (I32)(prefix + field->name.len),
                   newSVpvn(field->value.data ? field->value.data : "", field->value.len), 0);
}

static void store_fields(pTHX_ struct psgi_env *env, HV *hv, const struct liege_request *req)
{
    for (size_t i = 0; i < req->n_fields; i++) {
        const struct liege_field *field = &req->fields[i];

        if (field->id == LIEGE_FIELD_OTHER)
            store_other(aTHX_ env, hv, field);
        else
            store_str(aTHX_ hv, &env->fields[field->id], field->value);
    }
}

/* Adds the web server's variables; what is in @hv already stays. */
static void store_vars(pTHX_ HV *hv, const struct liege_request *req)
{
    for (size_t i = req->n_vars; i > 0; i--) { /* of equal names the last one counts */
        const struct liege_var *v = &req->vars[i - 1];

        if (!hv_exists(hv, v->name.data, (I32)v->name.len))
            (void)hv_store(hv, v->name.data, (I32)v->name.len,
                           newSVpvn(v->value.data ? v->value.data : "", v->value.len), 0);
    }
}

HV *psgi_env_hash(pTHX_ struct psgi_env *env, const struct liege_request *req)
{
    const struct key *keys = env->keys;
    HV *hv = newHVhv(env->constant);

    store(aTHX_ hv, &keys[ENV_REQUEST_METHOD], memo_sv(aTHX_ env, MEMO_METHOD, req->method));
    store(aTHX_ hv, &keys[ENV_SCRIPT_NAME], memo_sv(aTHX_ env, MEMO_SCRIPT, req->script_name));
    store(aTHX_ hv, &keys[ENV_SERVER_NAME], memo_sv(aTHX_ env, MEMO_NAME, req->server_name));
    store(aTHX_ hv, &keys[ENV_SERVER_PORT], memo_sv(aTHX_ env, MEMO_PORT, req->server_port));
    store(aTHX_ hv, &keys[ENV_SERVER_PROTOCOL], memo_sv(aTHX_ env, MEMO_PROTOCOL, req->protocol));
    store(aTHX_ hv, &keys[ENV_URL_SCHEME], memo_sv(aTHX_ env, MEMO_SCHEME, req->scheme));
    store_str(aTHX_ hv, &keys[ENV_PATH_INFO], req->path);
    store_str(aTHX_ hv, &keys[ENV_REQUEST_URI], req->target);
    store_str(aTHX_ hv, &keys[ENV_QUERY_STRING], req->query);
    if (req->remote_addr.len > 0) {
        store_str(aTHX_ hv, &keys[ENV_REMOTE_ADDR], req->remote_addr);
        store_str(aTHX_ hv, &keys[ENV_REMOTE_PORT], req->remote_port);
    }
    store_fields(aTHX_ env, hv, req);
    if (req->has_body)
        store(aTHX_ hv, &keys[ENV_CONTENT_LENGTH], newSVpvf("%" UVuf, (UV)req->body_length));
    store(aTHX_ hv, &keys[ENV_CLEANUP_HANDLERS], newRV_noinc((SV *)newAV()));
    store_vars(aTHX_ hv, req);
    return hv;
}

void psgi_env_set_input(pTHX_ const struct psgi_env *env, HV *hash, SV *input)
{
    store(aTHX_ hash, &env->keys[ENV_INPUT], input);
}
