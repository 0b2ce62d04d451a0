/* Loops: the checksum of an IPv4 header, its options included; and one over a table of constants. */
#include "bpf.h"

static const u32 weights[8] = { 1, 10, 100, 1000, 7, 77, 777, 7777 };

struct {
	NUMBER(type, HASH);
	NUMBER(max_entries, 64);
	NUMBER(key_size, 4);
	NUMBER(value_size, 4);
} sums SEC(".maps");

SEC("xdp")
int checksum(struct xdp *context)
{
	u8 *at = START(context) + sizeof(struct eth), *end = END(context);
	u32 sum = 0, length, key;

	if (at + sizeof(struct ip) > end)
		return XDP_DROP;
	length = (*at & 15) * 4;
	for (u32 i = 0; i < 60; i += 2) {
		if (i >= length || at + i + 2 > end)
			break;
		sum += at[i] << 8 | at[i + 1];
	}
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	key = sum;
	sum = 0;
#pragma clang loop unroll(disable)
	for (u32 i = 0; i < 8; i++)
		sum += weights[i] * (key >> i & 1);
	map_update(&sums, &key, &sum, 0);
	return key == 0xffff ? XDP_PASS : XDP_TX;
}
