/* SPDX-License-Identifier: MIT */
/* Magic variables: one letter behind a percent sign, replaced in files while they are read, before
 * anything else is expanded. A letter for a file's property means the file being loaded in lower
 * case, the first configuration file in upper case, so that an included skeleton can name its
 * vassal (reference: docs/configuration.md).
 *
 * The table below is all: a letter, whether it belongs to a file, and what writes its text. Called
 * by load.c for the keys and values of files; the command line and the environment have none. */
#include "conf/magic.h"

#include <grp.h>
#include <pwd.h>
#include <sched.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "base/macro.h"

typedef int magic_fn(const struct magic *m, const struct magic_file *f, struct buf *out);

static int put(struct buf *out, const char *text)
{
    return buf_append(out, text, strlen(text));
}

static const char *base_name(const struct magic_file *f)
{
    return strrchr(f->path, '/') + 1; /* absolute: there is one */
}

static int put_spec(const struct magic *m, const struct magic_file *f, struct buf *out)
{
    (void)m;
    return put(out, f->spec);
}

static int put_path(const struct magic *m, const struct magic_file *f, struct buf *out)
{
    (void)m;
    return put(out, f->path);
}

static int put_base(const struct magic *m, const struct magic_file *f, struct buf *out)
{
    (void)m;
    return put(out, base_name(f));
}

static int put_folder(const struct magic *m, const struct magic_file *f, struct buf *out)
{
    (void)m;
    return buf_append(out, f->path, (size_t)(base_name(f) - f->path));
}

static int put_extension(const struct magic *m, const struct magic_file *f, struct buf *out)
{
    const char *dot = strrchr(base_name(f), '.');

    (void)m;
    return put(out, dot ? dot + 1 : "");
}

static int put_stem(const struct magic *m, const struct magic_file *f, struct buf *out)
{
    const char *base = base_name(f), *dot = strrchr(base, '.');

    (void)m;
    return buf_append(out, base, dot ? (size_t)(dot - base) : strlen(base));
}

/* The name of the folder without those above it. */
static int put_folder_name(const struct magic *m, const struct magic_file *f, struct buf *out)
{
    const char *end = base_name(f) - 1, *start = end;

    (void)m;
    while (start > f->path && start[-1] != '/')
        start--;
    return buf_append(out, start, (size_t)(end - start));
}

static int put_section(const struct magic *m, const struct magic_file *f, struct buf *out)
{
    (void)m;
    return put(out, f->section);
}

static int put_inode(const struct magic *m, const struct magic_file *f, struct buf *out)
{
    (void)m;
    return buf_printf(out, "%ju", (uintmax_t)f->inode);
}

/* djb33x, the lowest byte first, as uWSGI writes it: people make names of sockets from it. */
static int put_hash(const struct magic *m, const struct magic_file *f, struct buf *out)
{
    uint32_t h = 5381;

    (void)m;
    for (const char *p = f->path; *p; p++)
        h = (h * 33) ^ (uint8_t)*p;
    return buf_printf(out, "%02X%02X%02X%02X", h & 0xff, h >> 8 & 0xff, h >> 16 & 0xff, h >> 24);
}

static int put_cwd(const struct magic *m, const struct magic_file *f, struct buf *out)
{
    (void)f;
    return put(out, m->cwd);
}

static int put_version(const struct magic *m, const struct magic_file *f, struct buf *out)
{
    (void)f;
    return put(out, m->version);
}

static int put_binary(const struct magic *m, const struct magic_file *f, struct buf *out)
{
    (void)f;
    return put(out, m->binary);
}

static int put_hostname(const struct magic *m, const struct magic_file *f, struct buf *out)
{
    char name[256] = "";

    (void)m;
    (void)f;
    (void)gethostname(name, sizeof(name) - 1); /* fails only for longer names than Linux has */
    return put(out, name);
}

/* The cores that this process may use, which a container may have fewer of than its host. */
static int put_cores(const struct magic *m, const struct magic_file *f, struct buf *out)
{
    cpu_set_t set;

    (void)m;
    (void)f;
    if (sched_getaffinity(0, sizeof(set), &set) == 0)
        return buf_printf(out, "%d", CPU_COUNT(&set));
    return buf_printf(out, "%ld", sysconf(_SC_NPROCESSORS_ONLN)); /* over 1024 cores */
}

static int put_uid(const struct magic *m, const struct magic_file *f, struct buf *out)
{
    (void)m;
    (void)f;
    return buf_printf(out, "%u", (unsigned)getuid());
}

static int put_gid(const struct magic *m, const struct magic_file *f, struct buf *out)
{
    (void)m;
    (void)f;
    return buf_printf(out, "%u", (unsigned)getgid());
}

static int put_user(const struct magic *m, const struct magic_file *f, struct buf *out)
{
    char text[4096];
    struct passwd entry, *found = NULL;

    if (getpwuid_r(getuid(), &entry, text, sizeof(text), &found) != 0 || !found)
        return put_uid(m, f, out);
    return put(out, found->pw_name);
}

static int put_group(const struct magic *m, const struct magic_file *f, struct buf *out)
{
    char text[16384];
    struct group entry, *found = NULL;

    if (getgrgid_r(getgid(), &entry, text, sizeof(text), &found) != 0 || !found)
        return put_gid(m, f, out);
    return put(out, found->gr_name);
}

static int put_seconds(const struct magic *m, const struct magic_file *f, struct buf *out)
{
    (void)f;
    return buf_printf(out, "%jd", (intmax_t)m->now.tv_sec);
}

static int put_microseconds(const struct magic *m, const struct magic_file *f, struct buf *out)
{
    (void)f;
    return buf_printf(out, "%jd", (intmax_t)m->now.tv_sec * 1000000 + m->now.tv_usec);
}

static int put_escape(const struct magic *m, const struct magic_file *f, struct buf *out)
{
    (void)m;
    (void)f;
    return put(out, "\033");
}

static int put_percent(const struct magic *m, const struct magic_file *f, struct buf *out)
{
    (void)m;
    (void)f;
    return put(out, "%");
}

/* clang-format off */
static const struct {
    char letter;
    bool of_file; /* the upper-case letter is the same of the first file */
    magic_fn *put;
} letters[] = {
    { 'o', true,  put_spec },
    { 'p', true,  put_path },
    { 's', true,  put_base },
    { 'd', true,  put_folder },
    { 'e', true,  put_extension },
    { 'n', true,  put_stem },
    { 'c', true,  put_folder_name },
    { 'x', true,  put_section },
    { 'i', true,  put_inode },
    { 'j', true,  put_hash },
    { 'v', false, put_cwd },
    { 'V', false, put_version },
    { 'b', false, put_binary },
    { 'h', false, put_hostname },
    { 'k', false, put_cores },
    { 'u', false, put_uid },
    { 'U', false, put_user },
    { 'g', false, put_gid },
    { 'G', false, put_group },
    { 't', false, put_seconds },
    { 'T', false, put_microseconds },
    { '[', false, put_escape },
    { '%', false, put_percent },
};
/* clang-format on */

/* %0 is the first component of the folder's path, %1 the second. */
static int put_component(const struct magic_file *f, unsigned n, struct buf *out)
{
    const char *at = f->path + 1, *end = base_name(f);

    for (; at < end; at = strchr(at, '/') + 1)
        if (n-- == 0)
            return buf_append(out, at, strcspn(at, "/"));
    return 0;
}

/* Returns 1 if there is no such variable. */
static int expand_letter(const struct magic *m, char letter, struct buf *out)
{
    bool upper = letter >= 'A' && letter <= 'Z';

    if (letter >= '0' && letter <= '9')
        return put_component(m->file, (unsigned)(letter - '0'), out);
    for (size_t i = 0; i < COUNT_OF(letters); i++) {
        if (letters[i].letter == letter)
            return letters[i].put(m, m->file, out);
        if (letters[i].of_file && upper && letters[i].letter == letter - 'A' + 'a')
            return letters[i].put(m, m->first, out);
    }
    return 1;
}

int magic_expand(const struct magic *m, const char *text, struct buf *out, char *ret_unknown)
{
    *ret_unknown = '\0';
    for (;;) {
        size_t plain = strcspn(text, "%");
        int r = buf_append(out, text, plain);
        if (r < 0)
            return r;
        text += plain;
        if (*text == '\0')
            return 0;

        r = text[1] == '\0' || text[1] == '(' ? 1 : expand_letter(m, text[1], out);
        if (r < 0)
            return r;
        if (r == 0) {
            text += 2;
            continue;
        }
        if (text[1] != '\0' && text[1] != '(' && *ret_unknown == '\0')
            *ret_unknown = text[1];
        r = buf_append(out, text++, 1);
        if (r < 0)
            return r;
    }
}
