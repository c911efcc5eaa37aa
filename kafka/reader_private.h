/* Inside kafka/ only: the bounded reader's state, shared by reader.c (life, partitions, handles), reader_message.c (one message into a batch)
 * and reader_faults.c (what goes wrong). Thread: the reader's owner. */
#ifndef WEIR_KAFKA_READER_PRIVATE_H
#define WEIR_KAFKA_READER_PRIVATE_H

#include "kafka/cluster_private.h"

enum {
	BATCH_RECORDS = 1024,
	BATCH_BYTES = 256 * 1024,
	BATCH_FREE_MAX = 4,
	MAX_MESSAGE_BYTES = 16 * 1024 * 1024,
	GROW_BYTES = 384 * 1024,             /* this much read and more to come, */
	GROW_RTT_US = 1500,                  /* .. and the brokers at least this far away: go on with large fetches */
	TOPIC_CHECK_MS = 5000,
	STALL_LOOK_MS = 1000,                /* without progress for so long: find out why */
	NOTICE_EVERY_MS = 5000,
	GONE_ANSWERS = 2,                    /* live: a broker that has just started may not know its topics yet */
	BAD_STRIKES = 3,
	SILENCE_LOOK_MS = 3000,              /* brokers that answer, yet nothing comes: count their answers, */
	SILENCE_EVERY_MS = 1000,             /* one a second, */
	SILENCE_ANSWERS = 5,                 /* and with so many */
	SILENCE_BAD_MS = 8000,               /* in so long what lies there cannot be read; below the request timeout */
	SILENCE_AGAIN_MS = 2000,             /* known to be damaged there, and stepping over it */
	WAKE_FIRST_MS = 4,                   /* a wake-up brought nothing for so long: again, at doubling distances up to WAKE_LAST_MS */
	WAKE_LAST_MS = 500,
	WAKE_IDLE_MS = 20,                   /* queue empty and nothing arrives: wake even if it never looked full */
};

enum part_state { PART_WAITING, PART_RUNNING, PART_DONE };

struct part {
	int32_t partition;
	enum part_state state;
	bool started;                        /* librdkafka fetches it */
	int64_t next;                        /* first offset not yet passed */
	int64_t end;
	int64_t high;                        /* when done: high watermark of the last fetch, -1 = unknown */
	int64_t eof;                         /* endless: where the broker last said that nothing more can be read, -1 = never */
	bool reached;                        /* seen in the callback: stop it outside */
	bool ask_gap;                        /* offset out of range: ask where the log begins and ends now */
	bool ask_end;                        /* EOF before the end */
	int64_t bad_next;                    /* the position at which errors are counted, -1 = none */
	int64_t bad_offset;                  /* what the first of them named */
	int bad_n;                           /* errors there */
	bool skipping;                       /* looking for the end of a damaged batch */
	int64_t skip_from;                   /* the first offset stepped over */
	int64_t skip_bad;                    /* the largest offset known to be in the batch */
	int64_t skip_good;                   /* the smallest known to be behind it, -1 = none yet */
	bool restart;                        /* stop and start at next */
	int64_t moved_mono_ms;               /* when something came of it last, or it was started */
};

struct reader {
	struct source base;
	struct cluster *cluster;
	struct client *client;
	rd_kafka_topic_t *rkt;
	rd_kafka_queue_t *queue;
	char *topic;
	struct part *parts;
	size_t part_n;
	int32_t *part_of;                    /* partition -> index in parts, -1 = not ours */
	int32_t part_of_n;
	size_t done_n;
	size_t current;                      /* SCAN_ORDER_PARTITION_OFFSET: the one that runs */
	bool grown;                          /* on the handle with large fetches */
	struct client *larger;               /* the next handle while it connects */
	struct call *larger_call;            /* its metadata request */
	struct metadata_call *larger_state;
	int32_t *leaders;                    /* one partition for each leader: where wake-ups go */
	size_t leader_n;
	unsigned need;
	enum scan_order order;
	struct scan_filter filter;
	size_t max_message_bytes;
	enum gap_policy gap_policy;
	struct cancel *cancel;
	struct batch_pool *pool;
	struct batch *open;                  /* being filled */
	struct batch *ready;                 /* full, not yet handed out */
	struct buf headers;
	struct err failed;                   /* id set = SOURCE_ERROR from now on */
	int64_t queue_max_bytes;             /* queued.max.messages.kbytes */
	int64_t backlog_expected;            /* queue length after the last drain; more now = something arrived */
	int64_t peak_bytes;                  /* of the backlog since the last arrival, estimated */
	int64_t arrival_mono_ms;
	int64_t wake_mono_ms;
	int64_t wake_gap_ms;
	bool endless;                        /* a range without end */
	bool live;                           /* scan_request.live and the three below */
	bool new_partitions;
	int event_fd;                        /* -1 = nobody asked for it */
	int64_t away_since_mono_ms;          /* live: brokers do not answer, 0 = they do */
	int gone_n;                          /* live: answers in a row without the topic */
	int64_t progress_mono_ms;            /* last message or EOF; time the caller spent elsewhere does not count */
	int64_t left_mono_ms;                /* when source_next returned last */
	int64_t notice_mono_ms;
	int64_t topic_check_mono_ms;
	struct call *topic_check;            /* metadata on its way */
	struct metadata_call *topic_check_state;
	int64_t leaderless_since_mono_ms;
	struct call *silence_call;           /* the question to the leader of silence_part, on its way */
	struct offsets_call *silence_state;
	int32_t silence_part;
	int64_t silence_mono_ms;             /* when it was asked */
	int silence_answers_n;
	bool told_open;                      /* open transactions were looked for */
	int32_t *known_leaders;              /* by part index, to count changes */
};


struct part *reader_part_find(struct reader *r, int32_t partition);    /* NULL: not asked for */
void reader_seal_open(struct reader *r);                               /* the open batch becomes the ready one */
void reader_on_message(rd_kafka_message_t *m, void *reader);           /* librdkafka's callback: a message, or an error about a partition */

/* False: r->failed is set. */
bool reader_part_gap(struct reader *r, struct part *p);                /* offset out of range */
bool reader_part_short_end(struct reader *r, struct part *p);          /* EOF before the frozen end */
void reader_part_strike(struct reader *r, struct part *p, int64_t offset, const char *text);   /* librdkafka cannot read what is at offset */
/* A fetch at p->next brought something. False: that was a look for the end of a damaged batch; drop it, the partition starts again at p->next. */
bool reader_part_readable(struct reader *r, struct part *p);
bool reader_part_start(struct reader *r, struct part *p);              /* at p->next. False: r->failed is set */

/* reader_live.c */
void reader_watch_fd(struct reader *r);                                /* a new queue: its events go to event_fd */
void reader_clear_fd(struct reader *r);                                /* before looking into the queue */
void reader_raise_fd(struct reader *r);                                /* source_next has more to give */
int reader_fd(struct source *source);
size_t reader_positions(struct source *source, struct source_position *to, size_t to_n);
bool reader_part_behind(struct reader *r, const struct part *p);       /* an endless one: the broker has told of more than was read */
void reader_add_partitions(struct reader *r, const struct rd_kafka_metadata_topic *t);   /* those from part_of_n on */
void reader_live_stall(struct reader *r, bool down);                   /* nothing came; notices while brokers are away */
void reader_live_back(struct reader *r);                               /* a broker answered */
void reader_find_leaders(struct reader *r, const int32_t *leaders);    /* leaders[i] of parts[i]; -1 = none */

void reader_serve_topic_check(struct reader *r, bool stalled);
void reader_serve_stall(struct reader *r);
void reader_tell_open_transactions(struct reader *r);

#endif
