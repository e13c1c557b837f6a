/* SPDX-License-Identifier: MIT */
/* The environment hash of a request, by the letter of PSGI 1.1.
 *
 * Making one costs more than all else that the plugin does, so the hash of one request serves the
 * next, with new text in the same values, if nobody can tell. An application may change the hash
 * and its values, and keep them. So we remember which elements the hash had when it was given out,
 * in its order. When it comes back, what was added is deleted; if something of ours is missing, if
 * a value that is the same for all requests has changed, if a reference is where text was, or if
 * somebody else has the hash, the next request gets a new one. A value that somebody else has, or
 * that is more than text, is replaced by a new one when the next text is put there.
 *
 * psgi.version, psgi.errors and psgix.logger are references to one object for all requests. */
#include "psgi-env.h"

#include <assert.h>

#include "psgi-errors.h"

/* Enough buckets for an environment with the fields that browsers send. */
#define N_BUCKETS 64

/* What an application may have added without the hash being made anew. */
#define MAX_ADDED 64

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
    X(SERVER_SOFTWARE,  "SERVER_SOFTWARE")              \
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
    U32 hash;   /* with the seed of this process */
    SV *shared; /* keeps Perl's copy of the name, whose address stands for it (struct element) */
};

/* What a request may have, those above and its fields, each with a slot of that number. */
#define N_SLOTS (ENV_COUNT + LIEGE_FIELD_COUNT)

#define MAX_FIXED 16

/* A value that is the same for all requests, a reference or a boolean: what it is, as far as it can
 * be changed in place. */
struct fixed {
    const SV *sv;
    U32 flags;
    const SV *target; /* of a reference */
    STRLEN len;       /* of a boolean's text, 0 or 1 */
    char text;
    IV number;
};

/* Perl has one copy of each key (HEK) as long as it is in use. */
struct element {
    const HEK *key;
    const SV *value;
};

struct psgi_env {
    HV *constant; /* what all hashes begin as */
    struct key keys[N_SLOTS];
    SV *name; /* of a field that has no slot, while it is being put together */
    SV *software;

    HV *hash; /* for the next request, or NULL */
    U32 hash_flags, array_flags;
    struct fixed fixed[MAX_FIXED];
    size_t n_fixed;
    SV *values[N_SLOTS];    /* in the hash, or NULL */
    uint32_t used[N_SLOTS]; /* the last request that had it */
    uint32_t serial;        /* of this request */
    size_t n_values, n_used;

    struct element elements[MAX_FIXED + N_SLOTS]; /* in the order of the hash */
    size_t n_elements;
    bool changed; /* they are no longer what is in the hash */
};

/* clang-format off */
static const char *const key_names[N_SLOTS] = {
#define ENV_NAME(id, name) [ENV_##id] = name,
    ENV_KEYS(ENV_NAME)
#undef ENV_NAME
    [ENV_COUNT + LIEGE_FIELD_OTHER] = "",
#define FIELD_NAME(id, name, key) [ENV_COUNT + LIEGE_FIELD_##id] = key,
    LIEGE_FIELDS(FIELD_NAME)
#undef FIELD_NAME
};
/* clang-format on */

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
    return hv;
}

struct psgi_env *psgi_env_new(pTHX)
{
    struct psgi_env *env = NULL;

    Newxz(env, 1, struct psgi_env); /* Newxz() does not return without memory */
    env->constant = constant_new(aTHX);
    env->name = newSVpvs("HTTP_");
    env->software = newSVpvf("liege/%s", interp.host->version);
    for (size_t i = 0; i < N_SLOTS; i++) {
        struct key *key = &env->keys[i];

        key->name = key_names[i];
        key->len = (I32)strlen(key->name);
        PERL_HASH(key->hash, key->name, (STRLEN)key->len);
        key->shared = newSVpvn_share(key->name, key->len, key->hash);
    }
    AV *av = newAV();
    env->array_flags = SvFLAGS(av);
    SvREFCNT_dec_NN(av);
    return env;
}

void psgi_env_adopt(pTHX_ struct psgi_env *env)
{
    SvREFCNT_dec_NN(env->constant);
    env->constant = constant_new(aTHX);
    SvREFCNT_dec(env->hash);
    env->hash = NULL;
}

/* A hash of our own */

static struct fixed describe(const SV *sv)
{
    struct fixed f = {.sv = sv, .flags = SvFLAGS(sv)};

    if (SvROK(sv)) {
        f.target = SvRV(sv);
    } else {
        f.len = SvCUR(sv);
        f.text = *SvPVX_const(sv);
        f.number = SvIVX(sv);
    }
    return f;
}

static bool is_as_described(const struct fixed *f)
{
    if (SvREFCNT(f->sv) != 1 || SvFLAGS(f->sv) != f->flags)
        return false;
    struct fixed now = describe(f->sv);
    return now.target == f->target && now.len == f->len && now.text == f->text &&
           now.number == f->number;
}

/* A pointer @he to each element of @hv in turn. */
#define FOR_EACH_ELEMENT(he, hv)                                                                   \
    for (STRLEN he##_i = 0; he##_i <= HvMAX(hv); he##_i++)                                         \
        for (HE *he = HvARRAY(hv)[he##_i]; he; he = HeNEXT(he))

static void make_hash(pTHX_ struct psgi_env *env)
{
    env->hash = newHVhv(env->constant);
    env->hash_flags = SvFLAGS(env->hash);
    Zero(env->values, N_SLOTS, SV *);
    env->n_values = env->n_fixed = 0;
    env->changed = true;
    FOR_EACH_ELEMENT(he, env->hash)
    {
        assert(env->n_fixed < MAX_FIXED && (SvROK(HeVAL(he)) || SvCUR(HeVAL(he)) <= 1));
        env->fixed[env->n_fixed++] = describe(HeVAL(he));
    }
}

/* Remembers the elements that are in the hash now, all of which are ours. */
static void remember(struct psgi_env *env)
{
    env->n_elements = 0;
    FOR_EACH_ELEMENT(he, env->hash)
    {
        assert(env->n_elements < C_ARRAY_LENGTH(env->elements));
        env->elements[env->n_elements++] =
            (struct element){.key = HeKEY_hek(he), .value = HeVAL(he)};
    }
    env->changed = false;
}

/* Deletes what the application has added. False if something of ours is not where it was, or if too
 * much was added. */
static bool delete_added(pTHX_ const struct psgi_env *env, HV *hv)
{
    HE *added[MAX_ADDED];
    size_t n_added = 0, n = 0;

    if (!HvARRAY(hv))
        return false; /* undef %$env */
    FOR_EACH_ELEMENT(he, hv)
    {
        const struct element *next = &env->elements[n];
        if (n < env->n_elements && next->key == HeKEY_hek(he) && next->value == HeVAL(he))
            n++;
        else if (n_added < MAX_ADDED)
            added[n_added++] = he;
        else
            return false;
    }
    if (n < env->n_elements)
        return false;
    for (size_t i = 0; i < n_added; i++)
        (void)hv_delete(hv, HeKEY(added[i]),
                        HeUTF8(added[i]) ? -HeKLEN(added[i]) : HeKLEN(added[i]), G_DISCARD);
    return true;
}

static bool is_text(const SV *sv)
{
    return SvFLAGS(sv) == (SVt_PV | SVf_POK | SVp_POK);
}

static bool is_reference(const SV *sv)
{
    return SvFLAGS(sv) == (SVt_IV | SVf_ROK);
}

/* Text or a number, and nothing that anything depends on. */
static bool is_plain(const SV *sv)
{
    return !SvROK(sv) && SvTYPE(sv) < SVt_PVMG;
}

/* The next request has another input. False if somebody else has this reference to it. */
static bool release_input(pTHX_ const struct psgi_env *env)
{
    SV *sv = env->values[ENV_INPUT];

    if (SvREFCNT(sv) != 1 || !is_reference(sv))
        return false;
    SV *input = SvRV(sv);
    SvROK_off(sv);
    SvRV_set(sv, NULL);
    SvREFCNT_dec_NN(input);
    return true;
}

static bool is_empty_array(const struct psgi_env *env, SV *sv)
{
    return SvREFCNT(sv) == 1 && SvFLAGS(sv) == env->array_flags && AvFILLp((AV *)sv) < 0;
}

/* True if the slots have nothing of the application's: that would live until the next request. */
static bool has_plain_values(const struct psgi_env *env)
{
    for (size_t i = 0; i < N_SLOTS; i++) {
        const SV *sv = env->values[i];

        if (!sv || i == ENV_INPUT)
            continue;
        if (i == ENV_CLEANUP_HANDLERS ? !is_reference(sv) || !is_empty_array(env, SvRV(sv))
                                      : !is_plain(sv))
            return false;
    }
    return true;
}

static bool can_be_used_again(pTHX_ const struct psgi_env *env, HV *hv)
{
    /* An iterator that was begun, or a weak reference, shows in the flags. */
    if (SvREFCNT(hv) != 1 || SvFLAGS(hv) != env->hash_flags || !delete_added(aTHX_ env, hv))
        return false;
    for (size_t i = 0; i < env->n_fixed; i++)
        if (!is_as_described(&env->fixed[i]))
            return false;
    return has_plain_values(env) && release_input(aTHX_ env);
}

void psgi_env_end(pTHX_ struct psgi_env *env, HV *hash)
{
    if (can_be_used_again(aTHX_ env, hash))
        env->hash = hash;
    else
        SvREFCNT_dec_NN(hash);
}

/* Values of a request */

/* The value in that slot, or NULL. This request has it. */
static SV *use(struct psgi_env *env, size_t slot)
{
    if (env->used[slot] != env->serial && env->values[slot])
        env->n_used++;
    env->used[slot] = env->serial;
    return env->values[slot];
}

/* Puts a new value into a slot. */
static void store(pTHX_ struct psgi_env *env, size_t slot, SV *value)
{
    const struct key *key = &env->keys[slot];

    if (!env->values[slot]) {
        env->n_values++;
        env->n_used++;
    }
    (void)hv_store(env->hash, key->name, key->len, value, key->hash);
    env->values[slot] = value;
    env->changed = true;
}

static void put(pTHX_ struct psgi_env *env, size_t slot, struct liege_str text)
{
    const char *data = text.data ? text.data : ""; /* Perl makes an undefined value of NULL */
    SV *sv = use(env, slot);

    if (sv && SvREFCNT(sv) == 1 && is_text(sv))
        sv_setpvn(sv, data, text.len);
    else
        store(aTHX_ env, slot, newSVpvn(data, text.len));
}

static void put_input(pTHX_ struct psgi_env *env, GV *input)
{
    SV *sv = use(env, ENV_INPUT);

    if (!sv) {
        store(aTHX_ env, ENV_INPUT, newRV_inc(MUTABLE_SV(input)));
        return;
    }
    SvRV_set(sv, SvREFCNT_inc_simple_NN(MUTABLE_SV(input))); /* as release_input() left it */
    SvROK_on(sv);
}

static void put_cleanup_handlers(pTHX_ struct psgi_env *env)
{
    SV *sv = use(env, ENV_CLEANUP_HANDLERS);

    if (!sv || SvREFCNT(sv) != 1)
        store(aTHX_ env, ENV_CLEANUP_HANDLERS, newRV_noinc((SV *)newAV()));
}

static void put_content_length(pTHX_ struct psgi_env *env, uint64_t length)
{
    char text[24];
    int n = snprintf(text, sizeof(text), "%" PRIu64, length);

    put(aTHX_ env, ENV_CONTENT_LENGTH, (struct liege_str){text, (size_t)n});
}

static void delete_unused(pTHX_ struct psgi_env *env)
{
    for (size_t i = 0; i < N_SLOTS; i++)
        if (env->values[i] && env->used[i] != env->serial) {
            (void)hv_delete(env->hash, env->keys[i].name, env->keys[i].len, G_DISCARD);
            env->values[i] = NULL;
            env->n_values--;
            env->changed = true;
        }
}

/* "X-Foo" has the key "HTTP_X_FOO". */
static void store_other(pTHX_ struct psgi_env *env, const struct liege_field *field)
{
    static const STRLEN prefix = sizeof("HTTP_") - 1;
    SV *name = env->name;

    char *to = SvGROW(name, prefix + field->name.len + 1) + prefix;
    for (size_t i = 0; i < field->name.len; i++)
        to[i] = field->name.data[i] == '-' ? '_' : toUPPER_A(field->name.data[i]);
    (void)hv_store(env->hash, SvPVX(name), (I32)(prefix + field->name.len),
                   newSVpvn(field->value.data ? field->value.data : "", field->value.len), 0);
}

/* Adds the web server's variables; what is in the hash already stays. */
static void store_vars(pTHX_ HV *hv, const struct liege_request *req)
{
    for (size_t i = req->n_vars; i > 0; i--) { /* of equal names the last one counts */
        const struct liege_var *v = &req->vars[i - 1];

        if (!hv_exists(hv, v->name.data, (I32)v->name.len))
            (void)hv_store(hv, v->name.data, (I32)v->name.len,
                           newSVpvn(v->value.data ? v->value.data : "", v->value.len), 0);
    }
}

/* Everything that has a slot. */
static void put_known(pTHX_ struct psgi_env *env, const struct liege_request *req, GV *input)
{
    put(aTHX_ env, ENV_REQUEST_METHOD, req->method);
    put(aTHX_ env, ENV_SCRIPT_NAME, req->script_name);
    put(aTHX_ env, ENV_PATH_INFO, req->path);
    put(aTHX_ env, ENV_REQUEST_URI, req->target);
    put(aTHX_ env, ENV_QUERY_STRING, req->query);
    put(aTHX_ env, ENV_SERVER_NAME, req->server_name);
    put(aTHX_ env, ENV_SERVER_PORT, req->server_port);
    put(aTHX_ env, ENV_SERVER_PROTOCOL, req->protocol);
    put(aTHX_ env, ENV_SERVER_SOFTWARE,
        (struct liege_str){SvPVX(env->software), SvCUR(env->software)});
    put(aTHX_ env, ENV_URL_SCHEME, req->scheme);
    if (req->remote_addr.len > 0) {
        put(aTHX_ env, ENV_REMOTE_ADDR, req->remote_addr);
        put(aTHX_ env, ENV_REMOTE_PORT, req->remote_port);
    }
    if (req->has_body)
        put_content_length(aTHX_ env, req->body_length);
    put_cleanup_handlers(aTHX_ env);
    put_input(aTHX_ env, input);
    for (size_t i = 0; i < req->n_fields; i++)
        if (req->fields[i].id != LIEGE_FIELD_OTHER)
            put(aTHX_ env, ENV_COUNT + req->fields[i].id, req->fields[i].value);
}

HV *psgi_env_begin(pTHX_ struct psgi_env *env, const struct liege_request *req, GV *input)
{
    if (!env->hash)
        make_hash(aTHX_ env);
    env->serial++;
    env->n_used = 0;
    put_known(aTHX_ env, req, input);
    if (env->n_used < env->n_values)
        delete_unused(aTHX_ env);
    if (env->changed)
        remember(env);
    /* What has no slot is not remembered, and so deleted afterwards. */
    for (size_t i = 0; i < req->n_fields; i++)
        if (req->fields[i].id == LIEGE_FIELD_OTHER)
            store_other(aTHX_ env, &req->fields[i]);
    store_vars(aTHX_ env->hash, req);

    HV *hash = env->hash;
    env->hash = NULL;
    return hash;
}
