package edgekd.images

internal const val JPEG_SIGNATURE = "\u00ff\u00d8\u00ff"
private const val MAX_SEGMENTS = 4096
internal const val PROGRESSIVE = 0xC2
private const val END_OF_IMAGE = 0xD9
internal const val START_OF_SCAN = 0xDA
private val START_OF_FRAME = (0xC0..0xCF).toSet() - setOf(0xC4, 0xC8, 0xCC)
private val SEQUENTIAL_OR_PROGRESSIVE = 0xC0..0xC2
private val ALONE = setOf(0x01) + (0xD0..0xD7)
private val TABLES = setOf(0xC4, 0xCC, 0xDB, 0xDC, 0xDD, 0xFE) + (0xE0..0xEF)
private val KNOWN = ALONE + TABLES + START_OF_FRAME + setOf(END_OF_IMAGE, START_OF_SCAN)
private val RESTARTS = 0xD0..0xD7

/** A marker and its content, from [start] to before [end]. */
internal data class Segment(
    val marker: Int,
    val start: Int,
    val end: Int,
)

/** The header of a JPEG; markers are parsed as libjpeg does (ITU-T T.81, annex B). */
internal fun readJpeg(data: Data): ImageHeader {
    var frame: Segment? = null
    var scans = 0
    var complete = false
    for (segment in segments(data)) {
        if (segment.marker in START_OF_FRAME) {
            if (frame != null) throw damagedImage("jpeg")
            frame = segment
        } else if (segment.marker == START_OF_SCAN) {
            scans++
            if (frame != null && oneScanHoldsAll(data, frame, segment)) {
                complete = hasEnd(data, segment.end)
                break
            }
        } else if (segment.marker == END_OF_IMAGE) {
            complete = true
        }
    }
    if (frame == null) return ImageHeader("jpeg", 0, 0, complete = false)
    return headerOf(data, frame, scans, complete && scans > 0)
}

/** The markers in order, to the end of the first image or of the bytes. */
internal fun segments(data: Data): Sequence<Segment> =
    sequence {
        var place = 2
        repeat(MAX_SEGMENTS) {
            val filled = place
            while (place < data.size && data.byte(place) == 0xFF) place++
            if (place >= data.size) return@sequence
            val marker = data.byte(place)
            if (place == filled || marker !in KNOWN) throw damagedImage("jpeg")
            place++
            val end = if (marker in ALONE || marker == END_OF_IMAGE) place else endOf(data, place)
            if (end > data.size) return@sequence
            yield(Segment(marker, place + 2, end))
            if (marker == END_OF_IMAGE) return@sequence
            place = if (marker == START_OF_SCAN) endOfScan(data, end) else end
        }
        throw Unreadable("is a JPEG of more than $MAX_SEGMENTS segments", "save it again")
    }

/** The segments before the first scan. */
internal fun leadingSegments(data: Data): Sequence<Segment> = segments(data).takeWhile { it.marker != START_OF_SCAN }

/** Place of the next marker after entropy-coded data, or the end of the bytes. */
internal fun endOfScan(
    data: Data,
    start: Int,
): Int {
    val last = data.size - 1
    var place = data.indexOfMarker(start, last)
    while (place < last) {
        val next = data.byte(place + 1)
        if (next != 0 && next != 0xFF && next !in RESTARTS) return place
        place = data.indexOfMarker(place + 1, last)
    }
    return data.size
}

private fun endOf(
    data: Data,
    place: Int,
): Int {
    if (place + 2 > data.size) return place + 2
    val length = data.short(place)
    if (length < 2) throw damagedImage("jpeg")
    return place + length
}

private fun hasEnd(
    data: Data,
    start: Int,
): Boolean = (data.size - 2 downTo start).any { data.byte(it) == 0xFF && data.byte(it + 1) == END_OF_IMAGE }

/** Whether the first scan holds the whole image, so that the decoder reads no other. */
private fun oneScanHoldsAll(
    data: Data,
    frame: Segment,
    scan: Segment,
): Boolean {
    if (frame.marker == PROGRESSIVE || frame.end - frame.start < 6 || scan.end <= scan.start) return false
    return data.byte(scan.start) == data.byte(frame.start + 5)
}

private fun headerOf(
    data: Data,
    frame: Segment,
    scans: Int,
    complete: Boolean,
): ImageHeader {
    if (frame.end - frame.start < 6) throw damagedImage("jpeg")
    val start = frame.start
    val components = data.byte(start + 5)
    if (frame.end - start != 6 + 3 * components) throw damagedImage("jpeg")
    refuseKinds(frame.marker, data.byte(start), components)
    val height = data.short(start + 1).toLong()
    val width = data.short(start + 3).toLong()
    val many = frame.marker == PROGRESSIVE || scans > 1
    val overhead = if (many) coefficients(data, frame, width * height) else 0
    return ImageHeader("jpeg", width, height, complete, overhead = overhead, scans = scans)
}

private fun refuseKinds(
    marker: Int,
    precision: Int,
    components: Int,
) {
    val hint = "save it as an ordinary 8-bit JPEG or as PNG"
    val (problem, remedy) =
        when {
            marker in setOf(0xC3, 0xC7, 0xCB, 0xCF) -> "is a lossless JPEG, which few decoders read" to hint
            marker in setOf(0xC9, 0xCA, 0xCD, 0xCE) -> "is a JPEG with arithmetic coding, which few decoders read" to hint
            marker !in SEQUENTIAL_OR_PROGRESSIVE -> "is a hierarchical JPEG, which few decoders read" to hint
            precision != 8 -> "is a JPEG of $precision bits a channel" to hint
            components == 4 -> "is a CMYK JPEG, colours for print" to "save it as RGB"
            components != 1 && components != 3 -> "is a JPEG of $components channels" to "save it as RGB"
            else -> return
        }
    throw Unreadable(problem, remedy)
}

/** Memory for the coefficients of an image of several scans, at two bytes each. */
private fun coefficients(
    data: Data,
    frame: Segment,
    pixels: Long,
): Long {
    val factors =
        (frame.start + 7 until frame.end step 3).map { (data.byte(it) shr 4) * (data.byte(it) and 15) }
    return 2 * pixels * factors.sum() / maxOf(1, factors.max())
}
