package edgekd.images

internal const val SPARE = 3
private const val MAX_WALKED = 4_000_000
private const val MAX_RESTARTED = 1_000_000

/** State of a channel after the scans so far: lowest bit decoded of each coefficient, −1 before the first. */
private class Channel(
    val nonzero: ByteArray,
) {
    val bits = IntArray(64) { -1 }

    val unfinished: Boolean get() = bits.any { it != 0 }
}

/**
 * Check that the compressed data of a JPEG are exactly those of the picture its header declares: each scan, and each
 * interval between restart markers, must end at the bit where its last block ends, and every code must be in the tables.
 */
internal fun checkScans(data: Data) {
    try {
        JpegCheck(data).run()
    } catch (_: CodeException) {
        throw corruptImage("jpeg")
    } catch (_: IndexOutOfBoundsException) {
        throw corruptImage("jpeg")
    }
}

private class JpegCheck(
    private val data: Data,
) {
    private val channels = mutableMapOf<Int, Channel>()
    private val walk = ScanWalk()

    fun run() {
        val passes = mutableListOf<Scan>()
        for (scan in scansOf(data)) {
            passes += scan
            if (scan.alone) break
        }
        val frame = passes[0].frame
        val whole = passes.size == 1 && passes[0].alone && !passes[0].restarts // walked, however long
        val long = !whole && passes.sumOf { it.end - it.start } > if (frame.progressive) MAX_WALKED else MAX_RESTARTED
        for (scan in passes) {
            if (long) countRestarts(scan) else walkScan(scan)
            advance(scan)
        }
        if (frame.components.any { channels[it.number]?.unfinished ?: true }) throw CodeException()
    }

    private fun walkScan(scan: Scan) {
        val band = scan.frame.progressive && scan.first > 0
        val nonzero = if (band) channels[scan.members[0].number]?.nonzero ?: throw CodeException() else ByteArray(0)
        var done = 0
        for (bits in restartIntervals(data, scan)) {
            val size = if (scan.interval > 0) scan.interval else scan.units
            val units = done until minOf(done + size, scan.units)
            val stop = walk.walk(scan, bits, units, nonzero)
            if (stop <= bits.end - 8 * (SPARE + 1) || stop > bits.end) throw CodeException()
            done = units.last + 1
        }
        if (done != scan.units) throw CodeException()
    }

    /** Only the number of restart markers, of a file too long to be walked through. */
    private fun countRestarts(scan: Scan) {
        if (scan.frame.progressive) {
            throw Unreadable(
                "is a progressive JPEG too long to be checked for damage",
                "save it as an ordinary (baseline) JPEG",
            )
        }
        restartIntervals(data, scan)
    }

    /** Record the bits that a scan adds; each must refine the bits of the one before. */
    private fun advance(scan: Scan) {
        for (member in scan.members) {
            val channel =
                channels.getOrPut(member.number) {
                    Channel(ByteArray(if (scan.frame.progressive) 64 * scan.frame.blocks(member) else 0))
                }
            for (k in scan.first..scan.last) {
                val before = channel.bits[k]
                if (scan.high != maxOf(before, 0) || (k > 0 && channel.bits[0] < 0)) throw CodeException()
                channel.bits[k] = scan.low
            }
        }
    }
}
