package edgekd.images

internal const val BLOCK_END = 128
internal const val NO_CODE = 255
internal const val SIXTEEN_ZEROS = 16
internal const val EMPTY_BLOCKS = 32

/** The compressed data of a JPEG do not match its header. */
internal class CodeException : Exception()

/** A Huffman table: number of codes of each length from 1 to 16 bits, and their symbols (ITU-T T.81, annex C). */
internal data class HuffmanTable(
    val counts: List<Int>,
    val symbols: List<Int>,
)

/**
 * A table as lookup by the value of the next 16 bits.
 *
 * @property dc Bits to the next code, for a DC table; 0 where there is no such code.
 * @property ac Bits to the next code, for an AC table.
 * @property step Coefficients that the code covers, [BLOCK_END] or [NO_CODE].
 * @property kind Zeros before a non-zero coefficient, [SIXTEEN_ZEROS], [EMPTY_BLOCKS] + n, or [NO_CODE].
 * @property bit The same where only one-bit coefficients are valid, as in refinement scans.
 */
internal class Lookup(
    table: HuffmanTable,
) {
    val dc = ByteArray(SPAN)
    val ac = ByteArray(SPAN)
    val step = ByteArray(SPAN) { NO_CODE.toByte() }
    val kind = ByteArray(SPAN) { NO_CODE.toByte() }
    val bit = ByteArray(SPAN) { NO_CODE.toByte() }

    init {
        val lengths = table.counts.flatMapIndexed { index, count -> List(count) { index + 1 } }
        val spans = lengths.map { 1 shl (16 - it) }
        if (table.symbols.size != spans.size || spans.sum() > SPAN) throw CodeException()
        var place = 0
        lengths.indices.forEach { index ->
            fill(place, place + spans[index], lengths[index], table.symbols[index])
            place += spans[index]
        }
    }

    private fun fill(
        from: Int,
        to: Int,
        length: Int,
        symbol: Int,
    ) {
        val run = symbol shr 4
        val size = symbol and 15
        val meaning =
            if (size > 0) {
                run
            } else if (run == 15) {
                SIXTEEN_ZEROS
            } else {
                EMPTY_BLOCKS + run
            }
        dc.fill((if (symbol < 16) length + symbol else 0).toByte(), from, to)
        ac.fill((length + size).toByte(), from, to)
        step.fill((if (size > 0 || run == 15) run + 1 else BLOCK_END).toByte(), from, to)
        kind.fill(meaning.toByte(), from, to)
        if (size < 2) bit.fill(meaning.toByte(), from, to)
    }

    private companion object {
        const val SPAN = 1 shl 16
    }
}
