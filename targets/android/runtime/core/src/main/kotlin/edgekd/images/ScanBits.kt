package edgekd.images

import java.nio.ByteBuffer

private val RESTARTS = 0xD0..0xD7
private const val PADDING = 600 // zero bytes after the data, more than a block can take

/**
 * The data between restart markers, without the stuffed zero after each byte 0xFF (ITU-T T.81, B.1.1.5, E.1.4).
 *
 * @throws CodeException The picture needs another number of markers, or they are out of order.
 */
internal fun restartIntervals(
    data: Data,
    scan: Scan,
): List<ScanBits> {
    val parts = mutableListOf<ScanBits>()
    val numbers = mutableListOf<Int>()
    var from = scan.start
    var place = data.indexOfMarker(scan.start, scan.end)
    while (place < scan.end) {
        val after = afterFill(data, place, scan.end)
        if (after < scan.end && data.byte(after) in RESTARTS) {
            parts += unstuffed(data, from, place)
            numbers += data.byte(after) and 7
            from = after + 1
        }
        place = data.indexOfMarker(minOf(after + 1, scan.end), scan.end)
    }
    parts += unstuffed(data, from, scan.end)
    val needed = if (scan.restarts) (scan.units + scan.interval - 1) / scan.interval - 1 else 0
    if (numbers != List(needed) { it % 8 }) throw CodeException()
    return parts
}

/** The place after a run of bytes 0xFF. */
private fun afterFill(
    data: Data,
    start: Int,
    end: Int,
): Int {
    var place = start
    while (place < end && data.byte(place) == 0xFF) place++
    return place
}

private fun unstuffed(
    data: Data,
    start: Int,
    end: Int,
): ScanBits {
    var last = end
    while (last > start && data.byte(last - 1) == 0xFF) last--
    val octets = ByteArray(maxOf(0, last - start) + PADDING)
    var size = 0
    var place = start
    while (place < last) {
        val next = data.indexOfMarker(place, last)
        val copied = minOf(next + 1, last) - place
        data.bytes.copyInto(octets, size, place, place + copied)
        size += copied
        place += copied
        if (next < last && place < last && data.byte(place) == 0) place++
    }
    return ScanBits(octets, size)
}

/** The bits of one restart interval: [size] bytes of [octets], and zeros after them. */
internal class ScanBits(
    private val octets: ByteArray,
    private val size: Int,
) {
    private val words = ByteBuffer.wrap(octets)

    /** Number of bits. */
    val end: Int get() = 8 * size

    /** The next bits from a place, at the upper end: [KNOWN] at least, zeros after the last. */
    fun from(place: Int): Long = words.getLong(place ushr 3) shl (place and 7)

    /** The next 16 bits from a place; zeros after the last. */
    fun ahead(place: Int): Int {
        val octet = place shr 3
        if (octet > size + PADDING - 3) throw CodeException()
        val wide = (at(octet) shl 16) or (at(octet + 1) shl 8) or at(octet + 2)
        return (wide shr (8 - (place and 7))) and 0xFFFF
    }

    private fun at(index: Int): Int = octets[index].toInt() and 0xFF

    /** Number of blocks after the current one in a run of empty blocks (EOBRUN − 1). */
    fun furtherBlocks(
        place: Int,
        run: Int,
    ): Int = (1 shl run) - 1 + (ahead(place) shr (16 - run))

    companion object {
        /** Bits that [from] has at least. */
        const val KNOWN = Long.SIZE_BITS - 7
    }
}
