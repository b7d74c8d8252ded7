package edgekd.images

private const val HUFFMAN = 0xC4
private const val INTERVAL = 0xDD
private val FRAMES = 0xC0..0xC2

/** One channel of the frame: its number, and its blocks across and down an MCU. */
internal data class Component(
    val number: Int,
    val across: Int,
    val down: Int,
)

/** The picture as its frame header declares it. */
internal class JpegFrame(
    private val width: Int,
    private val height: Int,
    val components: List<Component>,
    val progressive: Boolean,
) {
    private val mostAcross = components.maxOfOrNull { it.across } ?: 1
    private val mostDown = components.maxOfOrNull { it.down } ?: 1

    /** Number of MCUs of a scan of several channels. */
    fun units(): Int = ceil(width, 8 * mostAcross) * ceil(height, 8 * mostDown)

    /** Number of blocks of a scan of one channel. */
    fun blocks(component: Component): Int =
        ceil(ceil(width * component.across, mostAcross), 8) * ceil(ceil(height * component.down, mostDown), 8)

    private fun ceil(
        value: Int,
        divisor: Int,
    ): Int = (value + divisor - 1) / divisor
}

/** One pass over the picture (ITU-T T.81, G.1.1), coded from [start] to before [end]. */
internal class Scan(
    val frame: JpegFrame,
    val members: List<Component>,
    val first: Int,
    val last: Int,
    val high: Int,
    val low: Int,
    val dc: List<HuffmanTable?>,
    val ac: List<HuffmanTable?>,
    val interval: Int,
    val start: Int,
    val end: Int,
) {
    /** Number of coded units: blocks of one channel, else MCUs. */
    val units: Int get() = if (members.size == 1) frame.blocks(members[0]) else frame.units()

    /** The channel, counted within the scan, of each block of a unit. */
    val channels: List<Int>
        get() =
            if (members.size == 1) {
                listOf(0)
            } else {
                members.flatMapIndexed { n, c -> List(c.across * c.down) { n } }
            }

    val restarts: Boolean get() = interval in 1 until units

    /** Whether it holds the whole picture, so that decoders read no other. */
    val alone: Boolean get() = !frame.progressive && members.size == frame.components.size
}

/** The scans of a JPEG that was found complete, each with the tables in force there. */
internal fun scansOf(data: Data): Sequence<Scan> =
    sequence {
        var frame: JpegFrame? = null
        val tables = mutableMapOf<Int, HuffmanTable>()
        var interval = 0
        for ((marker, start, end) in segments(data)) {
            val body = Data(data.slice(start, end))
            when (marker) {
                in FRAMES -> {
                    frame = frameOf(marker, body)
                }

                HUFFMAN -> {
                    tables += tablesOf(body)
                }

                INTERVAL -> {
                    interval = if (body.size >= 2) body.short(0) else 0
                }

                START_OF_SCAN -> {
                    val known = frame ?: throw damagedImage("jpeg")
                    yield(scanOf(known, body, tables, interval, end..endOfScan(data, end)))
                }
            }
        }
    }

private fun frameOf(
    marker: Int,
    body: Data,
): JpegFrame {
    var components =
        (6 until body.size step 3).map { Component(body.byte(it), body.byte(it + 1) shr 4, body.byte(it + 1) and 15) }
    if (!components.all { it.across in 1..4 && it.down in 1..4 }) throw damagedImage("jpeg")
    // One block per unit, whatever its sampling factors.
    if (components.size == 1) components = listOf(Component(components[0].number, 1, 1))
    return JpegFrame(body.short(3), body.short(1), components, progressive = marker == PROGRESSIVE)
}

/** The Huffman tables of a DHT segment by class and number. */
private fun tablesOf(body: Data): Map<Int, HuffmanTable> {
    val tables = mutableMapOf<Int, HuffmanTable>()
    var place = 0
    while (place + 17 <= body.size) {
        val counts = body.slice(place + 1, place + 17).map { it.toInt() and 0xFF }
        val symbols = body.slice(place + 17, place + 17 + counts.sum()).map { it.toInt() and 0xFF }
        tables[body.byte(place)] = HuffmanTable(counts, symbols)
        place += 17 + symbols.size
    }
    return tables
}

private fun scanOf(
    frame: JpegFrame,
    body: Data,
    tables: Map<Int, HuffmanTable>,
    interval: Int,
    span: IntRange,
): Scan {
    val count = if (body.size > 0) body.byte(0) else 0
    if (body.size != 4 + 2 * count || count !in 1..frame.components.size) throw damagedImage("jpeg")
    val known = frame.components.associateBy { it.number }
    val pairs = (0 until count).map { body.byte(1 + 2 * it) to body.byte(2 + 2 * it) }
    if (pairs
            .map { it.first }
            .filter { it in known }
            .distinct()
            .size != count
    ) {
        throw damagedImage("jpeg")
    }
    val place = body.size - 3
    val first = if (frame.progressive) body.byte(place) else 0
    val last = if (frame.progressive) body.byte(place + 1) else 63
    val bits = if (frame.progressive) body.byte(place + 2) else 0
    val mixed = frame.progressive && (first == 0) != (last == 0)
    if (first > last || last > 63 || mixed || (first > 0 && count > 1)) throw damagedImage("jpeg")
    return Scan(
        frame = frame,
        members = pairs.map { known.getValue(it.first) },
        first = first,
        last = last,
        high = bits shr 4,
        low = bits and 15,
        dc = pairs.map { tables[it.second shr 4] },
        ac = pairs.map { tables[0x10 or (it.second and 15)] },
        interval = interval,
        start = span.first,
        end = span.last,
    )
}
