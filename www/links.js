// What permalinks need of the browser: its deflate, and its clipboard. What a link says, and how it is written, is told in
// core/src/link.rs.

/**
 * So many bytes go in at once. A stream puts out all that comes of a piece before it asks whether anybody wants more, and
 * inflated that may be a thousandfold: what has come is counted before the next piece goes in.
 */
const PIECE = 1024;

/** The bytes deflated, without a header. */
export const deflate = async (bytes) => through(new CompressionStream("deflate-raw"), bytes, Infinity);

/** The bytes inflated; nothing when there are more than `limit`. Rejects when they are damaged. */
export const inflate = async (bytes, limit) => through(new DecompressionStream("deflate-raw"), bytes, limit);

/** What a stream makes of the bytes, as soon as it is all there; nothing as soon as it is more than `limit`. */
async function through(stream, bytes, limit) {
  let sent = 0;
  const pull = (controller) => {
    if (sent === bytes.length) controller.close();
    else controller.enqueue(bytes.slice(sent, (sent = Math.min(sent + PIECE, bytes.length))));
  };
  const reader = new ReadableStream({ pull }, { highWaterMark: 0 }).pipeThrough(stream).getReader();
  const parts = [];
  for (let length = 0; ; ) {
    const { done, value } = await reader.read();
    if (done) return new Uint8Array(await new Blob(parts).arrayBuffer());
    length += value.length;
    if (length > limit) {
      reader.cancel();
      return undefined;
    }
    parts.push(value);
  }
}

/**
 * Puts a text on the clipboard, or what a promise becomes; false where the browser does not allow it. Safari allows it only
 * within the click, when a link is still in the making: so the clipboard is handed the promise.
 */
export async function copy(text) {
  const blob = Promise.resolve(text).then((text) => new Blob([text], { type: "text/plain" }));
  // That there will be none is told by whoever should have made it.
  blob.catch(() => {});
  try {
    // Pages that are not served over https have no clipboard at all.
    await navigator.clipboard.write([new ClipboardItem({ "text/plain": blob })]);
    return true;
  } catch {
    return false;
  }
}
