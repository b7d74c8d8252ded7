package edgekd.images

private const val WIDTH = 11
private const val LONGEST = 16
private const val FIELD = 8
private const val MASK = 0xFF
private const val ENDS = 1 shl 2 * FIELD

/**
 * How far the codes of a Huffman table lead in a sequential scan, by the bits ahead.
 *
 * A stride packs the bits to the next code, the coefficients that are covered, and whether the block ends; 0 is no code.
 * An ending counts as a coefficient more, so that a run of codes that stays within the block's 63 may be taken at once.
 */
internal class Strides(
    table: HuffmanTable,
    runs: Boolean,
    private val strideOf: (length: Int, symbol: Int) -> Int,
) {
    private val symbols = table.symbols.toIntArray()
    private val first = IntArray(LONGEST + 2)
    private val index = IntArray(LONGEST + 2)
    private val single = IntArray(1 shl WIDTH)
    private val runs = IntArray(if (runs) 1 shl WIDTH else 0)

    init {
        if (table.counts.sum() != symbols.size) throw CodeException()
        for (length in 1..LONGEST) {
            val count = table.counts[length - 1]
            first[length + 1] = first[length] + (count shl (LONGEST - length))
            index[length + 1] = index[length] + count
        }
        if (first[LONGEST + 1] > 1 shl LONGEST) throw CodeException()
        single.indices.forEach { single[it] = searched(it shl (LONGEST - WIDTH), WIDTH) }
        this.runs.indices.forEach { this.runs[it] = run(it) }
    }

    /** The stride of the next code alone, where [bits] has it at its upper end. */
    fun next(bits: Long): Int {
        val stride = single[(bits ushr (Long.SIZE_BITS - WIDTH)).toInt()]
        return if (stride != 0) stride else searched((bits ushr (Long.SIZE_BITS - LONGEST)).toInt(), LONGEST)
    }

    /** The stride of all whole codes among the next bits, to the end of the block at most; 0 where the first is longer. */
    fun ahead(bits: Long): Int = runs[(bits ushr (Long.SIZE_BITS - WIDTH)).toInt()]

    private fun searched(
        ahead: Int,
        longest: Int,
    ): Int {
        var length = 1
        while (length <= longest && ahead >= first[length + 1]) length++
        if (length > longest) return 0
        return strideOf(length, symbols[index[length] + ((ahead - first[length]) shr (LONGEST - length))])
    }

    private fun run(ahead: Int): Int {
        var all = 0
        var left = WIDTH
        while (left > 0 && all and ENDS == 0) {
            val stride = single[(ahead shl (WIDTH - left)) and ((1 shl WIDTH) - 1)]
            if (stride == 0 || bitsOf(stride) > left) break
            left -= bitsOf(stride)
            all += stride
        }
        return all
    }

    companion object {
        /** Bits to the next code. */
        fun bitsOf(stride: Int): Int = stride and MASK

        /** Coefficients covered, and one more where the block ends. */
        fun stepsOf(stride: Int): Int = (stride shr FIELD) and MASK

        /** Whether the block ends. */
        fun ends(stride: Int): Boolean = stride and ENDS != 0

        /** Strides of a table for the constant coefficient of a block, which has a category of at most 15. */
        fun ofConstants(table: HuffmanTable): Strides =
            Strides(table, runs = false) { length, symbol -> if (symbol < 16) length + symbol else 0 }

        /** Strides of a table for the other 63. */
        fun ofOthers(table: HuffmanTable): Strides =
            Strides(table, runs = true) { length, symbol ->
                val size = symbol and 15
                val run = symbol shr 4
                val ends = size == 0 && run < 15
                val steps = if (ends) 1 else run + 1
                length + size or (steps shl FIELD) or (if (ends) ENDS else 0)
            }
    }
}
