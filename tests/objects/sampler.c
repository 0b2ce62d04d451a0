/* Every fourth packet goes to who listens, with its length and its first bytes: by a ring buffer, and by perf events. */
#include "net.h"

#define FIRST_BYTES 32
#define CURRENT_CPU 0xffffffffull

struct sample {
	u32 length;
	u32 number;
	u8 bytes[FIRST_BYTES];
};

struct {
	NUMBER(type, RINGBUF);
	NUMBER(max_entries, 4096);
} samples SEC(".maps");

struct {
	NUMBER(type, PERF_EVENT_ARRAY);
	NUMBER(max_entries, 16);
	TYPE(key, u32);
	TYPE(value, u32);
} events SEC(".maps");

static u32 packets;
static u32 lost;

SEC("tc")
int sample(struct sk_buff *skb)
{
	struct sample *sample;

	if (packets++ % 4)
		return TC_OK;
	sample = ringbuf_reserve(&samples, sizeof(*sample), 0);
	if (!sample) {
		lost++;
		return TC_OK;
	}
	sample->length = skb->len;
	sample->number = packets;
	if (load_bytes(skb, 0, sample->bytes, FIRST_BYTES))
		__builtin_memset(sample->bytes, 0, FIRST_BYTES);
	ringbuf_submit(sample, 0);
	return TC_OK;
}

SEC("xdp")
int tell(struct xdp *context)
{
	u64 length = END(context) - START(context);
	struct {
		u32 length;
		u32 number;
	} head;

	if (packets++ % 4)
		return XDP_PASS;
	head.length = length;
	head.number = packets;
	if (length > 64)
		length = 64;
	/* As many bytes of the packet as the upper half says go behind the data. */
	if (perf_event_output(context, &events, length << 32 | CURRENT_CPU, &head, sizeof(head)))
		lost++;
	return XDP_PASS;
}

LICENSE("GPL");
