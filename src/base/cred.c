/* SPDX-License-Identifier: MIT */
/* Credentials: the one place where privileges are dropped (credentials(7)). The order is fixed:
 * groups, gid, uid; afterwards the kernel is asked what we are, because a dropped privilege that
 * was not dropped is worse than no start. */
#include "base/cred.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* True if @text is all digits; then *@ret is the number. */
static bool parse_id(const char *text, unsigned *ret)
{
    char *end = NULL;

    errno = 0;
    unsigned long n = strtoul(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end || errno != 0 || n >= (unsigned)-1)
        return false;
    *ret = (unsigned)n;
    return true;
}

static int parse_user(const char *user, struct cred *c, bool want_group, struct errmsg *err)
{
    unsigned id = 0;
    bool number = parse_id(user, &id);
    const struct passwd *pw = number ? getpwuid(id) : getpwnam(user);

    if (!pw && !number)
        return errmsg_set(err, -EINVAL, "there is no user '%s'", user);
    c->set_uid = true;
    c->uid = pw ? pw->pw_uid : id;
    if (pw && want_group) {
        c->set_gid = true;
        c->gid = pw->pw_gid;
    }
    return 0;
}

static int parse_group(const char *group, struct cred *c, struct errmsg *err)
{
    unsigned id = 0;

    if (!parse_id(group, &id)) {
        const struct group *gr = getgrnam(group);
        if (!gr)
            return errmsg_set(err, -EINVAL, "there is no group '%s'", group);
        id = gr->gr_gid;
    }
    c->set_gid = true;
    c->gid = id;
    return 0;
}

int cred_parse(const char *user, const char *group, struct cred *ret, struct errmsg *err)
{
    struct cred c = {0};

    if (user) {
        int r = parse_user(user, &c, !group, err);
        if (r < 0)
            return r;
    }
    if (group) {
        int r = parse_group(group, &c, err);
        if (r < 0)
            return r;
    }
    *ret = c;
    return 0;
}

int cred_parse_owner(const char *text, uid_t *ret_uid, gid_t *ret_gid, struct errmsg *err)
{
    char *user = strdup(text);
    struct cred c = {0};

    if (!user)
        return errmsg_set(err, -ENOMEM, "out of memory");
    char *colon = strchr(user, ':');
    if (colon)
        *colon = '\0';
    int r = cred_parse(*user ? user : NULL, colon && colon[1] ? colon + 1 : NULL, &c, err);
    free(user);
    if (r < 0)
        return r;
    *ret_uid = c.set_uid ? c.uid : (uid_t)-1;
    *ret_gid = colon && c.set_gid ? c.gid : (gid_t)-1;
    return 0;
}

static int drop_groups(const struct cred *c, struct errmsg *err)
{
    const struct passwd *pw = c->set_uid ? getpwuid(c->uid) : NULL;
    int r = 0;

    if (geteuid() != 0) /* only a privileged process has groups to give up */
        return 0;
    if (pw && c->set_gid)
        r = initgroups(pw->pw_name, c->gid);
    else
        r = setgroups(0, NULL);
    return r < 0 ? errmsg_set_errno(err, -errno, "cannot set the supplementary groups") : 0;
}

static int verify(const struct cred *c, struct errmsg *err)
{
    uid_t ru = 0, eu = 0, su = 0;
    gid_t rg = 0, eg = 0, sg = 0;

    if (getresuid(&ru, &eu, &su) < 0 || getresgid(&rg, &eg, &sg) < 0)
        return errmsg_set_errno(err, -errno, "cannot read the credentials back");
    if (c->set_gid && (rg != c->gid || eg != c->gid || sg != c->gid))
        return errmsg_set(err, -EPERM, "the group is not %u after setting it", c->gid);
    if (c->set_uid && (ru != c->uid || eu != c->uid || su != c->uid))
        return errmsg_set(err, -EPERM, "the user is not %u after setting it", c->uid);
    if (c->set_uid && c->uid != 0 && setuid(0) == 0)
        return errmsg_set(err, -EPERM, "user %u can become root again", c->uid);
    return 0;
}

int cred_drop(const struct cred *c, struct errmsg *err)
{
    if (!c->set_uid && !c->set_gid)
        return 0;

    int r = drop_groups(c, err);
    if (r < 0)
        return r;
    if (c->set_gid && setresgid(c->gid, c->gid, c->gid) < 0)
        return errmsg_set_errno(err, -errno, "cannot become group %u", c->gid);
    if (c->set_uid && setresuid(c->uid, c->uid, c->uid) < 0)
        return errmsg_set_errno(err, -errno, "cannot become user %u", c->uid);
    return verify(c, err);
}
