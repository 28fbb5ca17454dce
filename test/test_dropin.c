/*
 * test_dropin.c - BIO_f_onion() beside BIO_f_ssl(): a table that is a test.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Each row does one thing with a layer and writes down what is seen. It runs
 * with both methods and both versions of TLS, and what it saw is compared with
 * the column of the method. Where the columns differ the row says why. With
 * the argument "-table" the program prints the table instead.
 */

#include <stdio.h>
#include <string.h>
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>
#include "dropin.h"

static void scene_new(struct scene *x, const struct row *row, int i)
{
    memset(x, 0, sizeof(*x));
    x->onion = i % 2;
    x->method = x->onion ? BIO_f_onion() : BIO_f_ssl();
    x->version = i / 2 % 2 == 0 ? TLS1_3_VERSION : TLS1_2_VERSION;
    x->arg = row->arg;
}

static void scene_free(struct scene *x)
{
    BIO_free_all(x->c);
    BIO_free_all(x->s);
    ERR_clear_error();
}

/* The row in a process of its own, to see whether it survives. */
static void run_crash(const struct row *row, struct scene *x)
{
    int status;
    pid_t child = fork();

    if (child == 0) {
        dup2(open("/dev/null", O_WRONLY), STDERR_FILENO);
        row->run(x);
        _exit(0);
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        strcpy(x->said, CRASH);
}

static const char *expected(const struct row *row, int onion)
{
    return onion && row->onion != NULL ? row->onion : row->ssl;
}

/* What BIO_f_ssl() does is that of OpenSSL 3.0: newer ones differ in places. */
static int applies(const struct row *row, int i)
{
    if (i % 2 == 0 && OpenSSL_version_num() >= 0x30200000L)
        return 0;
    if (row->only == ONLY_1_2)
        return i / 2 % 2 == 1;
    return row->only == 0 || i / 2 % 2 == 0;
}

static void check_row(const struct row *row, int i)
{
    const char *what = expected(row, i % 2);
    struct scene x;

    if (!applies(row, i))
        return;
    scene_new(&x, row, i);
    if (strcmp(what, CRASH) == 0) {
        run_crash(row, &x);
    } else {
        row->run(&x);
        scene_free(&x);
    }
    ck_assert_msg(strcmp(x.said, what) == 0,
                  "%s%s%s, %s, TLS 1.%d:\n  expected: %s\n  got:      %s",
                  row->name, row->arg == NULL ? "" : " ",
                  row->arg == NULL ? "" : row->arg,
                  x.onion ? "BIO_f_onion" : "BIO_f_ssl",
                  x.version == TLS1_3_VERSION ? 3 : 2, what, x.said);
}

/* _i: row x version x method */
START_TEST(a_layer_begins_as_the_table_says)
{
    check_row(&life_rows[_i / 4], _i);
}
END_TEST

START_TEST(a_layer_answers_controls_as_the_table_says)
{
    check_row(&ctrl_rows[_i / 4], _i);
}
END_TEST

START_TEST(a_layer_reads_and_writes_as_the_table_says)
{
    check_row(&io_rows[_i / 4], _i);
}
END_TEST

START_TEST(a_layer_ends_as_the_table_says)
{
    check_row(&end_rows[_i / 4], _i);
}
END_TEST

START_TEST(a_layer_is_in_a_chain_as_the_table_says)
{
    check_row(&chain_rows[_i / 4], _i);
}
END_TEST

START_TEST(a_layer_takes_datagrams_as_the_table_says)
{
    check_row(&dgram_rows[_i / 4], _i);
}
END_TEST

static const struct {
    const char *name;
    const struct row *rows;
    const TTest **test;
} sections[] = {
    { "life", life_rows, &a_layer_begins_as_the_table_says },
    { "controls", ctrl_rows, &a_layer_answers_controls_as_the_table_says },
    { "io", io_rows, &a_layer_reads_and_writes_as_the_table_says },
    { "end", end_rows, &a_layer_ends_as_the_table_says },
    { "chain", chain_rows, &a_layer_is_in_a_chain_as_the_table_says },
    { "datagrams", dgram_rows, &a_layer_takes_datagrams_as_the_table_says }
};

#define SECTIONS ((int)(sizeof(sections) / sizeof(sections[0])))

START_TEST(each_difference_has_a_reason)
{
    const struct row *row;

    for (row = sections[_i].rows; row->name != NULL; row++) {
        ck_assert_msg((row->onion == NULL) == (row->why == NULL),
                      "%s: a difference without a reason", row->name);
        ck_assert_msg(row->onion == NULL || strcmp(row->ssl, row->onion) != 0,
                      "%s: there is no difference", row->name);
    }
}
END_TEST

static int count_rows(const struct row *row)
{
    int n = 0;

    while (row[n].name != NULL)
        n++;
    return n;
}

static Suite *dropin_suite(void)
{
    Suite *suite = suite_create("dropin");
    TCase *tc;
    int i;

    for (i = 0; i < SECTIONS; i++) {
        tc = test_case(suite, sections[i].name);
        test_loop(tc, *sections[i].test, 0,
                  4 * count_rows(sections[i].rows));
    }
    tc = test_case(suite, "table");
    test_loop(tc, each_difference_has_a_reason, 0, SECTIONS);
    return suite;
}

static void print_row(const struct row *row)
{
    printf("%s%s%s\n  BIO_f_ssl:   %s\n", row->name,
           row->arg == NULL ? "" : " ", row->arg == NULL ? "" : row->arg,
           row->ssl);
    if (row->onion != NULL)
        printf("  BIO_f_onion: %s\n  because:     %s\n", row->onion,
               row->why);
}

static void print_table(void)
{
    const struct row *row;
    int i;

    for (i = 0; i < SECTIONS; i++) {
        printf("%s== %s\n\n", i == 0 ? "" : "\n", sections[i].name);
        for (row = sections[i].rows; row->name != NULL; row++)
            print_row(row);
    }
}

int main(int argc, char *argv[])
{
    if (argc > 1 && strcmp(argv[1], "-table") == 0) {
        print_table();
        return 0;
    }
    dropin_setup();
    return test_main(dropin_suite());
}
