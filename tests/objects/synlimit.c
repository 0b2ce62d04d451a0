/* Lets each source begin so many connections a second: a bucket of tokens that fills up with time. */
#include "net.h"

#define SECOND 1000000000ull

struct bucket {
	u64 filled_at;
	u64 tokens;
};

struct {
	NUMBER(type, LRU_HASH);
	NUMBER(max_entries, 4096);
	TYPE(key, u32);
	TYPE(value, struct bucket);
} buckets SEC(".maps");

struct {
	NUMBER(type, ARRAY);
	NUMBER(max_entries, 2);
	TYPE(key, u32);
	TYPE(value, u64);
} verdicts SEC(".maps");

static const volatile u64 rate = 10, burst = 3;

INLINE int decide(u32 source)
{
	struct bucket *bucket, fresh;
	u64 time = now(), grown;

	bucket = map_lookup(&buckets, &source);
	if (!bucket) {
		fresh.filled_at = time;
		fresh.tokens = burst - 1;
		map_update(&buckets, &source, &fresh, 0);
		return XDP_PASS;
	}
	grown = (time - bucket->filled_at) * rate / SECOND;
	if (grown) {
		bucket->tokens = bucket->tokens + grown > burst ? burst : bucket->tokens + grown;
		bucket->filled_at = time;
	}
	if (!bucket->tokens)
		return XDP_DROP;
	bucket->tokens--;
	return XDP_PASS;
}

SEC("xdp")
int limit(struct xdp *context)
{
	void *end = END(context);
	struct eth *eth = START(context);
	struct ip *ip = (void *)(eth + 1);
	struct tcp *tcp;
	int verdict;
	u32 dropped;
	u64 *count;

	if (!WHOLE(ip, end) || eth->type != BE16(ETH_IP) || ip->protocol != TCP)
		return XDP_PASS;
	tcp = (void *)ip + (ip->version_and_length & 15) * 4;
	if (!WHOLE(tcp, end))
		return XDP_DROP;
	/* SYN without ACK. */
	if ((tcp->flags & 0x12) != 0x02)
		return XDP_PASS;
	verdict = decide(ip->from);
	dropped = verdict == XDP_DROP;
	count = map_lookup(&verdicts, &dropped);
	if (count)
		*count += 1;
	return verdict;
}

LICENSE("GPL");
