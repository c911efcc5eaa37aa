/* librdkafka's version and the features it was built with, one line. */
#ifndef WEIR_KAFKA_VERSION_H
#define WEIR_KAFKA_VERSION_H

#include "core/buf.h"

void kafka_version(struct buf *to);

#endif
