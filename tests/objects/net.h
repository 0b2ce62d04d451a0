/* What network programs need beside bpf.h: more kinds of maps, more functions, more headers. */
#include "bpf.h"

enum {
	PROG_ARRAY = 3,
	PERF_EVENT_ARRAY = 4,
	PERCPU_HASH = 5,
	PERCPU_ARRAY = 6,
	LRU_HASH = 9,
	LPM_TRIE = 11,
	DEVMAP = 14,
	RINGBUF = 27,
};

enum { NO_PREALLOC = 1 };

static u64 (*now)(void) = (void *)5;
static long (*store_bytes)(struct sk_buff *skb, u32 at, const void *from, u32 size, u64 flags) = (void *)9;
static long (*l3_csum_replace)(struct sk_buff *skb, u32 at, u64 from, u64 to, u64 size) = (void *)10;
static long (*l4_csum_replace)(struct sk_buff *skb, u32 at, u64 from, u64 to, u64 flags) = (void *)11;
static long (*tail_call)(void *context, void *map, u32 index) = (void *)12;
static long (*perf_event_output)(void *context, void *map, u64 flags, void *data, u64 size) = (void *)25;
static long (*load_bytes)(const void *skb, u32 at, void *to, u32 size) = (void *)26;
static s64 (*csum_diff)(const void *from, u32 from_size, const void *to, u32 to_size, u32 seed) = (void *)28;
static long (*pull_data)(struct sk_buff *skb, u32 length) = (void *)39;
static long (*adjust_head)(struct xdp *context, s32 bytes) = (void *)44;
static long (*redirect_map)(void *map, u64 key, u64 flags) = (void *)51;
static void *(*ringbuf_reserve)(void *map, u64 size, u64 flags) = (void *)131;
static void (*ringbuf_submit)(void *data, u64 flags) = (void *)132;

enum { ICMP = 1, IPIP = 4, TCP = 6, UDP = 17, ICMP6 = 58 };
enum { ETH_IP = 0x0800, ETH_VLAN = 0x8100, ETH_IP6 = 0x86dd, ETH_QINQ = 0x88a8 };

struct vlan {
	u16 tci;
	u16 type;
};

struct ip6 {
	u8 version_and_class[4];
	u16 length;
	u8 next;
	u8 hops;
	u8 from[16];
	u8 to[16];
};

struct ports {
	u16 from;
	u16 to;
};

struct tcp {
	struct ports ports;
	u32 sequence;
	u32 acknowledged;
	u8 offset;
	u8 flags;
	u16 window;
	u16 checksum;
	u16 urgent;
};

/* The end of a header at `at`, or nothing when the packet ends before that. */
#define WHOLE(header, end) ((void *)((header) + 1) <= (end))

/* Bits of a checksum that went over the edge come in again. */
INLINE u16 fold(u32 sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return ~sum;
}

/* The checksum when a half word of what it is over becomes another one. */
INLINE u16 changed(u16 checksum, u16 from, u16 to)
{
	return fold((u16)~checksum + (u16)~from + (u32)to);
}
