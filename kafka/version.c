/* kafka/version.h */
#include "kafka/version.h"

#include <librdkafka/rdkafka.h>

void kafka_version(struct buf *to)
{
	char features[512] = "";
	size_t len = sizeof features;
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	if (rd_kafka_conf_get(conf, "builtin.features", features, &len) != RD_KAFKA_CONF_OK)
		features[0] = '\0';
	rd_kafka_conf_destroy(conf);
	buf_addf(to, "librdkafka %s (%s)\n", rd_kafka_version_str(), features);
}
