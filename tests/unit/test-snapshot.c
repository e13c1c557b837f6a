/* SPDX-License-Identifier: MIT */
/* Memory that children have in common with the process they were forked from, and have again. */
#include "base/snapshot.h"

#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/malloc-heap.h"
#include "base/meminfo.h"
#include "unit.h"

#define PAGE    ((size_t)4096)
#define N_PAGES ((size_t)500)
#define NOBODY  65534
#define HOLE    ((size_t)200 << 20)

#ifdef __SANITIZE_ADDRESS__

static void there_is_none_of_another_allocator(void **state)
{
    (void)state;
    assert_false(snapshot_exists());
    assert_int_equal(snapshot_take(), -EOPNOTSUPP);
    assert_false(snapshot_exists());
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(there_is_none_of_another_allocator)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}

#else

enum { PLAIN, READ_ONLY, CLOSED, WIPED, SHARED, SPECIAL_COUNT };

static char *piece, *pages; /* what is allocated, and its whole pages */
static char *special_piece, *special;
static char *behind;

static char sign(size_t page)
{
    return (char)(page % 100 + 1);
}

static char *allocate_pages(size_t n, char **ret_piece)
{
    char *p = malloc((n + 1) * PAGE);

    assert_non_null(p);
    *ret_piece = p;
    return p + PAGE - (uintptr_t)p % PAGE;
}

/* Pages of the heap with which something has been done that would be lost. */
static void make_special(void)
{
    enum { N = SPECIAL_COUNT };

    special = allocate_pages(N, &special_piece);
    memset(special, 's', N * PAGE);
    assert_int_equal(mprotect(special + READ_ONLY * PAGE, PAGE, PROT_READ), 0);
    assert_int_equal(mprotect(special + CLOSED * PAGE, PAGE, PROT_NONE), 0);
    assert_int_equal(madvise(special + WIPED * PAGE, PAGE, MADV_WIPEONFORK), 0);
    assert_ptr_equal(mmap(special + SHARED * PAGE, PAGE, PROT_READ | PROT_WRITE,
                          MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, -1, 0),
                     special + SHARED * PAGE);
    special[SHARED * PAGE] = 's';
}

/* Used once, and free since, with something behind it. */
static void make_hole(void)
{
    char *hole = malloc(HOLE);

    assert_non_null(hole);
    memset(hole, 'h', HOLE);
    behind = malloc(100);
    assert_true(behind > hole);
    free(hole);
}

static int take(void **state)
{
    (void)state;
    (void)mallopt(M_PERTURB, 0); /* or what is free is written to */
    malloc_keep_on_heap();
    pages = allocate_pages(N_PAGES, &piece);
    for (size_t i = 0; i < N_PAGES; i++)
        memset(pages + i * PAGE, sign(i), PAGE);
    make_special();
    make_hole();
    malloc_close_gaps();
    malloc_leave_heap();
    assert_false(snapshot_exists());
    assert_int_equal(snapshot_take(), 0);
    assert_true(snapshot_exists());
    return 0;
}

static bool page_is(size_t i, char sign)
{
    for (size_t at = 0; at < PAGE; at++)
        if (pages[i * PAGE + at] != sign)
            return false;
    return true;
}

static void touch_all(void)
{
    for (size_t i = 0; i < N_PAGES; i++)
        *(volatile char *)(pages + i * PAGE + i) = 'x';
    for (size_t i = 0; i < N_PAGES; i++)
        *(volatile char *)(pages + i * PAGE + i) = sign(i);
}

static long return_all(void)
{
    uintptr_t at = 0;
    long sum = 0;

    do {
        long n = snapshot_return(&at);
        UNIT_CHECK(n >= 0);
        sum += n;
    } while (at != 0);
    return sum;
}

static void what_was_there_stays(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_PAGES; i++)
        assert_true(page_is(i, sign(i)));
}

static void give_back(void *data)
{
    (void)data;
    touch_all();
    long n = return_all();
    UNIT_CHECK(n >= (long)N_PAGES && n < (long)N_PAGES + 50);
    n = return_all();
    UNIT_CHECK(n >= 0 && n < 50); /* but for what we have done ourselves */
    for (size_t i = 0; i < N_PAGES; i++)
        UNIT_CHECK(page_is(i, sign(i)));
    touch_all();
    n = return_all();
    UNIT_CHECK(n >= (long)N_PAGES);
}

static void what_is_as_before_is_given_back(void **state)
{
    (void)state;
    assert_int_equal(unit_run_child(give_back, NULL), 0);
}

/* Who may not read /proc/self/pagemap. */
static void give_back_as_nobody(void *data)
{
    UNIT_CHECK(setresuid(NOBODY, NOBODY, NOBODY) == 0);
    UNIT_CHECK(access("/proc/self/pagemap", R_OK) < 0);
    give_back(data);
}

static void another_user_gives_back_too(void **state)
{
    (void)state;
    if (geteuid() != 0)
        skip();
    assert_int_equal(unit_run_child(give_back_as_nobody, NULL), 0);
}

static void change_every_other(void *data)
{
    (void)data;
    touch_all();
    for (size_t i = 0; i < N_PAGES; i += 2)
        pages[i * PAGE + 7 * i] = 'y';
    long n = return_all();
    UNIT_CHECK(n >= (long)N_PAGES / 2 && n < (long)N_PAGES / 2 + 50);
    for (size_t i = 0; i < N_PAGES; i++) {
        char *changed = &pages[i * PAGE + 7 * i];
        UNIT_CHECK(*changed == (i % 2 == 0 ? 'y' : sign(i)));
        *changed = sign(i);
        UNIT_CHECK(page_is(i, sign(i)));
    }
}

static void what_has_changed_stays(void **state)
{
    (void)state;
    assert_int_equal(unit_run_child(change_every_other, NULL), 0);
}

static void map_something_else(void *data)
{
    const size_t size = 100 * PAGE;
    char *other = pages + 100 * PAGE;

    (void)data;
    UNIT_CHECK(mmap(other, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
                    -1, 0) == other);
    for (size_t i = 100; i < 200; i++)
        memset(pages + i * PAGE, sign(i), PAGE);
    UNIT_CHECK(return_all() >= 0);
    for (size_t i = 0; i < N_PAGES; i++)
        UNIT_CHECK(page_is(i, sign(i)));
}

/* Here given back would be lost. */
static void what_is_there_instead_stays(void **state)
{
    (void)state;
    assert_int_equal(unit_run_child(map_something_else, NULL), 0);
}

static void grow(void *data)
{
    const size_t size = N_PAGES * PAGE, larger = 100 * size;
    char *grown = mremap(pages, size, larger, MREMAP_MAYMOVE);

    (void)data;
    UNIT_CHECK(grown != MAP_FAILED);
    memset(grown + size, 'z', larger - size);
    UNIT_CHECK(return_all() >= 0);
    for (size_t i = 0; i < larger; i += PAGE)
        UNIT_CHECK(grown[i] == (i < size ? sign(i / PAGE) : 'z'));
}

static void memory_may_grow(void **state)
{
    (void)state;
    assert_int_equal(unit_run_child(grow, NULL), 0);
}

static void use_special(void *data)
{
    (void)data;
    UNIT_CHECK(special[PLAIN * PAGE] == 's');
    UNIT_CHECK(special[READ_ONLY * PAGE] == 's');
    UNIT_CHECK(special[WIPED * PAGE] == 0);
    special[SHARED * PAGE] = 'c';
}

static void write_to(void *data)
{
    (void)signal(SIGSEGV, SIG_DFL); /* or the tests go on in here */
    *(volatile char *)data = 'x';
}

static void what_is_special_stays_so(void **state)
{
    (void)state;
    assert_int_equal(unit_run_child(use_special, NULL), 0);
    assert_int_equal(special[SHARED * PAGE], 'c');
    assert_int_equal(unit_run_child(write_to, special + PLAIN * PAGE), 0);
    assert_int_equal(unit_run_child(write_to, special + READ_ONLY * PAGE), 128 + SIGSEGV);
    assert_int_equal(unit_run_child(write_to, special + CLOSED * PAGE), 128 + SIGSEGV);
}

static void what_was_free_takes_no_memory(void **state)
{
    (void)state;
    assert_in_range(meminfo_get(getpid()).resident_bytes, 1, HOLE / 10);
}

static void allocate(void *data)
{
    static char *p[2000];

    (void)data;
    for (int round = 0; round < 3; round++) {
        for (size_t i = 0; i < COUNT_OF(p); i++) {
            p[i] = calloc(1, i * 40);
            UNIT_CHECK(p[i]);
            for (size_t at = 0; at < i * 40; at++)
                UNIT_CHECK(p[i][at] == 0);
            memset(p[i], 'a', i * 40);
        }
        for (size_t i = 0; i < COUNT_OF(p); i++)
            free(p[i]);
        UNIT_CHECK(return_all() >= 0);
    }
    free(piece);
}

static void allocation_goes_on(void **state)
{
    (void)state;
    assert_int_equal(unit_run_child(allocate, NULL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_there_stays),
        cmocka_unit_test(what_is_as_before_is_given_back),
        cmocka_unit_test(another_user_gives_back_too),
        cmocka_unit_test(what_has_changed_stays),
        cmocka_unit_test(what_is_there_instead_stays),
        cmocka_unit_test(memory_may_grow),
        cmocka_unit_test(what_is_special_stays_so),
        cmocka_unit_test(what_was_free_takes_no_memory),
        cmocka_unit_test(allocation_goes_on),
    };

    return cmocka_run_group_tests(tests, take, NULL);
}

#endif
