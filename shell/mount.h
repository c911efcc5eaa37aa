/* weir mount DIR and weir umount DIR. Exit codes; errors are reported. */
#ifndef WEIR_SHELL_MOUNT_H
#define WEIR_SHELL_MOUNT_H

#include "shell/options.h"

int mount_main(const struct options *o);
int umount_main(const struct options *o);

/* mount.weir, the helper of mount(8). *ret_argv is given back with mount_fstab_finish, also after a failure; ret_fake: only the arguments are checked (mount -f). */
bool mount_fstab_called(const char *program);
bool mount_fstab_arguments(int argc, char **argv, int *ret_argc, char ***ret_argv, bool *ret_fake, struct err *err);
void mount_fstab_finish(char **argv);        /* accepts NULL */

#endif
