package edgekd.images

private const val LONGEST = 32 // bits of a code with those that follow it, at most
private const val OTHERS = 63

/** Stepping from code to code through a scan, without decoding coefficients (ITU-T T.81, F.2 and G.2). */
internal class ScanWalk {
    private val lookups = mutableMapOf<HuffmanTable, Lookup>()
    private val constants = mutableMapOf<HuffmanTable, Strides>()
    private val others = mutableMapOf<HuffmanTable, Strides>()

    /**
     * The bit after the last code of the units [units], which begin at the first bit.
     *
     * @param nonzero 64 bytes for each block: 1 where earlier scans made a coefficient non-zero; updated here.
     */
    fun walk(
        scan: Scan,
        bits: ScanBits,
        units: IntRange,
        nonzero: ByteArray,
    ): Int =
        when {
            !scan.frame.progressive -> sequential(scan, bits, units.last + 1 - units.first)
            scan.first == 0 -> constants(scan, bits, units.count())
            scan.high > 0 -> Refinement(scan, bits, units, nonzero, lookup(scan.ac[0])).walk()
            else -> firstBand(scan, bits, units, nonzero)
        }

    private fun lookup(table: HuffmanTable?): Lookup = there(table).let { lookups.getOrPut(it) { Lookup(it) } }

    private fun there(table: HuffmanTable?): HuffmanTable =
        table ?: throw Unreadable("is a JPEG without its code tables, as cut out of a video", "save it as an ordinary JPEG")

    private fun sequential(
        scan: Scan,
        bits: ScanBits,
        count: Int,
    ): Int {
        val blocks =
            scan.channels
                .map { channel ->
                    val dc = there(scan.dc[channel]).let { constants.getOrPut(it) { Strides.ofConstants(it) } }
                    dc to there(scan.ac[channel]).let { others.getOrPut(it) { Strides.ofOthers(it) } }
                }.toTypedArray()
        var place = 0
        repeat(count) {
            for ((dc, ac) in blocks) {
                if (place > bits.end) throw CodeException()
                val first = dc.next(bits.from(place))
                if (first == 0) throw CodeException()
                place = afterOthers(bits, place + first, ac)
            }
        }
        return place
    }

    /** The bit after the codes of the 63 coefficients of a block that vary. */
    private fun afterOthers(
        bits: ScanBits,
        start: Int,
        table: Strides,
    ): Int {
        var place = start
        var ahead = bits.from(place)
        var known = ScanBits.KNOWN
        var k = 0
        while (k < OTHERS) {
            if (known < LONGEST) {
                ahead = bits.from(place)
                known = ScanBits.KNOWN
            }
            var stride = table.ahead(ahead)
            if (stride == 0 || k + Strides.stepsOf(stride) > OTHERS) {
                stride = table.next(ahead)
                if (stride == 0) throw CodeException()
                if (Strides.ends(stride)) return place + Strides.bitsOf(stride)
            }
            val bitsTaken = Strides.bitsOf(stride)
            place += bitsTaken
            known -= bitsTaken
            ahead = ahead shl bitsTaken
            k += Strides.stepsOf(stride)
            if (Strides.ends(stride)) return place
        }
        if (k > OTHERS) throw CodeException()
        return place
    }

    private fun constants(
        scan: Scan,
        bits: ScanBits,
        count: Int,
    ): Int {
        if (scan.high > 0) return count * scan.channels.size
        val tables = scan.channels.map { lookup(scan.dc[it]) }
        var place = 0
        repeat(count) {
            for (table in tables) {
                val first = table.dc[bits.ahead(place)].toInt()
                if (first == 0) throw CodeException()
                place += first
            }
        }
        return place
    }

    private fun firstBand(
        scan: Scan,
        bits: ScanBits,
        blocks: IntRange,
        nonzero: ByteArray,
    ): Int {
        val table = lookup(scan.ac[0])
        val width = scan.last + 1 - scan.first
        var place = 0
        var block = blocks.first
        while (block <= blocks.last) {
            var k = 0
            val base = 64 * block + scan.first
            block++
            while (k < width) {
                val ahead = bits.ahead(place)
                val kind = table.kind[ahead].toInt() and 0xFF
                place += table.ac[ahead]
                if (kind < SIXTEEN_ZEROS) {
                    k += kind
                    if (k >= width) throw CodeException()
                    nonzero[base + k] = 1
                    k++
                } else if (kind == SIXTEEN_ZEROS) {
                    k += 16
                } else if (kind < NO_CODE) {
                    block += bits.furtherBlocks(place, kind - EMPTY_BLOCKS)
                    place += kind - EMPTY_BLOCKS
                    break
                } else {
                    throw CodeException()
                }
            }
        }
        if (block != blocks.last + 1) throw CodeException()
        return place
    }
}

/** A refinement scan of an AC band, which adds a bit to coefficients that are non-zero already. */
private class Refinement(
    private val scan: Scan,
    private val bits: ScanBits,
    private val blocks: IntRange,
    private val nonzero: ByteArray,
    private val table: Lookup,
) {
    private val width = scan.last + 1 - scan.first
    private var place = 0

    fun walk(): Int {
        var block = blocks.first
        while (block <= blocks.last) {
            val empty = walkBlock(block)
            block++
            repeat(empty) {
                if (block > blocks.last) throw CodeException()
                place += countNonzero(block, 0)
                block++
            }
        }
        return place
    }

    /** Walk one block; returns the number of empty blocks after it, whose codes end with this one's. */
    private fun walkBlock(block: Int): Int {
        val base = 64 * block + scan.first
        // Coefficients that become non-zero in this scan are not refined by it.
        val fresh = mutableListOf<Int>()
        var k = 0
        while (k < width) {
            val ahead = bits.ahead(place)
            val kind = table.bit[ahead].toInt() and 0xFF
            place += table.ac[ahead]
            if (kind < SIXTEEN_ZEROS) {
                k = skipZeros(base, k, kind)
                if (k >= width) throw CodeException()
                fresh += base + k
                k++
            } else if (kind == SIXTEEN_ZEROS) {
                k = minOf(width, skipZeros(base, k, 15) + 1)
            } else if (kind < NO_CODE) {
                val empty = bits.furtherBlocks(place, kind - EMPTY_BLOCKS)
                place += kind - EMPTY_BLOCKS + countNonzero(block, k)
                fresh.forEach { nonzero[it] = 1 }
                return empty
            } else {
                throw CodeException()
            }
        }
        fresh.forEach { nonzero[it] = 1 }
        return 0
    }

    /** The zero coefficient after [count] others from [k] on; each non-zero one before it takes a bit. */
    private fun skipZeros(
        base: Int,
        k: Int,
        count: Int,
    ): Int {
        var at = k
        var left = count
        while (at < width) {
            if (nonzero[base + at].toInt() == 0) {
                if (left == 0) return at
                left--
            } else {
                place++
            }
            at++
        }
        return at
    }

    private fun countNonzero(
        block: Int,
        from: Int,
    ): Int = (from until width).count { nonzero[64 * block + scan.first + it].toInt() == 1 }
}
