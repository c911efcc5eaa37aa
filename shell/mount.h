/* weir mount DIR and weir umount DIR. Exit codes; errors are reported. */
#ifndef WEIR_SHELL_MOUNT_H
#define WEIR_SHELL_MOUNT_H

#include "shell/options.h"

int mount_main(const struct options *o);
int umount_main(const struct options *o);

#endif
