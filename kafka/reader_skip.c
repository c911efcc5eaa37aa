/* A damaged batch (CRC, codec, record format): librdkafka fetches it again and again, with an error each time. BAD_STRIKES equal errors are the
 * verdict. Then the scan fails, or with weir.skip.bad.batch goes on behind the batch, whose end nobody tells: the errors name only where it
 * begins, and a fetch at any offset inside brings all of it. So look at +1, +2, +4 .. until something can be read (or a batch that begins
 * elsewhere fails), then halve the distance, so that not one good record is stepped over. What was lost is said once, as a range.
 * Thread: the reader's owner, inside librdkafka's callback. */
#include <inttypes.h>
#include "kafka/reader_private.h"

static void skip_done(struct reader *r, struct part *p)
{
	p->skipping = false;
	p->bad_offset = -1;
	p->bad_n = 0;
	r->base.stats.gap_n += p->next - p->skip_from;
	r->base.stats.passed_n += p->next - p->skip_from;
	cluster_notify(r->cluster, NOTICE_WARNING, "offsets %" PRId64 "..%" PRId64 " of partition %d of topic \"%s\" were skipped: their batch is damaged (%" PRId64 " lost)", p->skip_from,
		p->next - 1, p->partition, r->topic, p->next - p->skip_from);
}

/* Goes to the next place to look at. */
static void skip_on(struct reader *r, struct part *p)
{
	if (p->skip_good < 0) {
		int64_t step = p->skip_bad == p->skip_from ? 1 : 2 * (p->skip_bad - p->skip_from);
		if (step < p->end - p->skip_from)
			p->next = p->skip_from + step;
		else
			p->skip_good = p->end;       /* nothing wanted there: as good as readable */
	}
	if (p->skip_good >= 0)
		p->next = p->skip_good - p->skip_bad > 1 ? p->skip_bad + (p->skip_good - p->skip_bad) / 2 : p->skip_good;
	if (p->next >= p->end) {
		p->next = p->end;
		skip_done(r, p);
		p->reached = true;
		return;
	}
	p->restart = true;
}

bool reader_part_readable(struct reader *r, struct part *p)
{
	if (!p->skipping)
		return true;
	if (p->next == p->skip_bad + 1) {
		skip_done(r, p);
		return true;
	}
	p->skip_good = p->next;
	skip_on(r, p);
	return false;
}

void reader_part_damaged(struct reader *r, struct part *p, const rd_kafka_message_t *m)
{
	int64_t offset = m->offset >= 0 ? m->offset : p->next;
	if (p->bad_offset != offset || p->bad_code != m->err) {
		p->bad_offset = offset;
		p->bad_code = m->err;
		p->bad_n = 0;
	}
	if (++p->bad_n < BAD_STRIKES)
		return;
	p->bad_n = 0;
	if (!r->cluster->skip_bad_batch) {
		err_set(&r->failed, ERR_BAD_BATCH, "the batch at offset %" PRId64 " of partition %d of topic \"%s\" cannot be read: %s", offset, p->partition, r->topic,
			rd_kafka_message_errstr(m));
		return;
	}
	/* An error that names the place that was asked for, not a batch, says nothing about which batch it is: the same one, then. */
	if (p->skipping && offset != p->skip_base && offset != p->next && !reader_part_readable(r, p))
		return;
	if (!p->skipping) {
		p->skipping = true;
		p->skip_from = p->next;
		p->skip_base = offset;
		p->skip_good = -1;
	}
	p->skip_bad = p->next;
	skip_on(r, p);
}
