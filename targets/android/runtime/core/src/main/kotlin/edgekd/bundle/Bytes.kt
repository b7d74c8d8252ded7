package edgekd.bundle

/** Little-endian numbers in an array of bytes; a place outside of it is an [IndexOutOfBoundsException]. */
internal class Bytes(
    val array: ByteArray,
) {
    val size: Int get() = array.size

    /** An unsigned byte. */
    fun byte(place: Int): Int = array[place].toInt() and 0xFF

    /** An unsigned number of two bytes. */
    fun short(place: Int): Int = byte(place) or (byte(place + 1) shl 8)

    /** An unsigned number of four bytes. */
    fun int(place: Int): Long = short(place).toLong() or (short(place + 2).toLong() shl 16)

    fun slice(
        place: Int,
        length: Int,
    ): ByteArray = array.copyOfRange(place, place + length)
}
