/* The printers that print.c lists; private to shell/print*. */
#ifndef WEIR_SHELL_PRINT_IMPLS_H
#define WEIR_SHELL_PRINT_IMPLS_H

#include "shell/print.h"

extern const struct print_impl print_box, print_table, print_column, print_markdown;          /* print_page.c */
extern const struct print_impl print_csv, print_tsv, print_list, print_quote, print_insert, print_raw, print_line, print_html;    /* print_text.c */
extern const struct print_impl print_json, print_ndjson;                                     /* print_json.c */
extern const struct print_impl print_plot;                                                 /* print_plot.c */

#endif
