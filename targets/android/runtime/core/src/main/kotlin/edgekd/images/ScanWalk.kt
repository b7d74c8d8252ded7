package edgekd.images

/** Stepping from code to code through a scan, without decoding coefficients (ITU-T T.81, F.2 and G.2). */
internal class ScanWalk(
    private val lookups: MutableMap<HuffmanTable, Lookup> = mutableMapOf(),
) {
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
            !scan.frame.progressive -> sequential(scan, bits, units.count())
            scan.first == 0 -> constants(scan, bits, units.count())
            scan.high > 0 -> Refinement(scan, bits, units, nonzero, lookup(scan.ac[0])).walk()
            else -> firstBand(scan, bits, units, nonzero)
        }

    private fun lookup(table: HuffmanTable?): Lookup {
        if (table == null) {
            throw Unreadable("is a JPEG without its code tables, as cut out of a video", "save it as an ordinary JPEG")
        }
        return lookups.getOrPut(table) { Lookup(table) }
    }

    private fun sequential(
        scan: Scan,
        bits: ScanBits,
        count: Int,
    ): Int {
        val tables = scan.channels.map { lookup(scan.dc[it]) to lookup(scan.ac[it]) }
        var place = 0
        repeat(count) {
            for ((dc, ac) in tables) {
                val first = dc.dc[bits.ahead(place)].toInt()
                if (first == 0) throw CodeException()
                place += first
                var k = 0
                while (k < 63) {
                    val ahead = bits.ahead(place)
                    k += ac.step[ahead].toInt() and 0xFF
                    place += ac.ac[ahead]
                }
                if (k != 63 && k !in BLOCK_END until NO_CODE) throw CodeException()
            }
        }
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
