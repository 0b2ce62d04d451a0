/* Atomic operations of 64 and 32 bits, with and without the old value. */
#include "bpf.h"

u64 wide[6];
u32 narrow[6];

SEC("tc")
int atomics(struct sk_buff *skb)
{
	u64 x = (u64)skb->len << 33 | skb->len;
	u64 old = 0;

	__sync_fetch_and_add(&wide[0], x);
	old += __sync_fetch_and_add(&wide[1], x);
	old += __sync_fetch_and_or(&wide[2], x);
	old += __sync_fetch_and_xor(&wide[3], x ^ 5);
	old += __sync_lock_test_and_set(&wide[4], x + 1);
	old += __sync_val_compare_and_swap(&wide[5], 0, x);
	old += __sync_fetch_and_and(&wide[0], ~1ull);

	__sync_fetch_and_add(&narrow[0], skb->len);
	old += __sync_fetch_and_add(&narrow[1], -1);
	old += __sync_fetch_and_or(&narrow[2], skb->len);
	old += __sync_fetch_and_xor(&narrow[3], 0xffff0000);
	old += __sync_lock_test_and_set(&narrow[4], skb->len);
	old += __sync_val_compare_and_swap(&narrow[5], 0, 1);
	wide[5] ^= old;
	return old >> 7;
}
