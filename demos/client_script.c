/*
 * client_script.c - a conversation that is given in advance, and checked.
 *
 * SPDX-License-Identifier: Apache-2.0
 */

#include <string.h>
#include "client_script.h"
#include "client_verbs.h"
#include "tool_report.h"

/* Where the line ends that starts at line; NULL if it is the last. */
static const char *line_end(const char *line)
{
    const char *end = strchr(line, ';');

    /* Behind the last semicolon there is no empty line. */
    return end != NULL && end[1] == '\0' ? NULL : end;
}

static size_t line_length(const char *line)
{
    return strcspn(line, ";");
}

int script_check(const char *script)
{
    const char *end;

    if (strchr(script, '\n') != NULL) {
        report(TOOL_USAGE, NULL, "-script: lines are separated by ';'");
        return 0;
    }
    for (; (end = line_end(script)) != NULL; script = end + 1)
        if (verbs_is_last(script, line_length(script))) {
            report(TOOL_USAGE, NULL, "-script: nothing can follow %.*s",
                   (int)line_length(script), script);
            return 0;
        }
    return 1;
}

static int do_line(CLIENT *c, const char *line, size_t len)
{
    BIO_puts(c->out, "> ");
    report_escape(c->out, line, len);
    BIO_puts(c->out, "\n");
    (void)BIO_flush(c->out);
    return verbs_do(c, line, len);
}

void script_run(CLIENT *c, const char *script)
{
    const char *end = script;

    for (; end != NULL && script[0] != '\0'; script = end + 1) {
        end = line_end(script);
        if (!do_line(c, script, line_length(script)))
            return;
        if (end == NULL)
            break;
    }
    client_close(c);
}
