package edgekd.bundle

import java.nio.charset.Charset
import java.util.zip.CRC32

/** What is wrong with a zip, as the rest of a sentence. */
internal class ZipException(
    message: String,
) : Exception(message)

/**
 * A member of a zip, as the directory describes it.
 *
 * @property name Its name, undecoded bytes replaced.
 * @property rawName The bytes of its name, which those before its content repeat.
 */
internal class ZipMember(
    val name: String,
    val rawName: ByteArray,
    val method: Int,
    val flags: Int,
    val crc: Long,
    val packed: Long,
    val size: Long,
    val header: Long,
)

/**
 * An uncompressed zip in memory. Java's own readers want a file on disk, or believe the headers between the members,
 * which may contradict the directory.
 *
 * Source: PKWARE's APPNOTE.TXT, 4.3.7 (local header), 4.3.12 (directory), 4.3.16 (end).
 */
internal class StoredZip(
    private val bytes: Bytes,
) {
    private val end: Int = endOf(bytes)

    /** Members that the last record counts. */
    val count: Int = bytes.short(end + 10)

    /** Bytes of the directory. */
    val directoryBytes: Long = bytes.int(end + 12)

    /** The members in the directory's order. */
    fun members(): List<ZipMember> {
        val start = end - directoryBytes
        // The offset may be smaller where other bytes stand before the zip, but never larger.
        if (start < 0 || bytes.int(end + 16) > start) throw ZipException("its directory is not where it says")
        val members = mutableListOf<ZipMember>()
        var place = start.toInt()
        while (place < end) {
            if (place + 46 > end || bytes.int(place) != DIRECTORY) throw ZipException("its directory is damaged")
            val lengths = listOf(28, 30, 32).map { bytes.short(place + it) }
            if (place + 46 + lengths.sum() > end) throw ZipException("its directory is cut off")
            members += member(place, lengths[0], start - bytes.int(end + 16))
            place += 46 + lengths.sum()
        }
        return members
    }

    private fun member(
        place: Int,
        nameLength: Int,
        before: Long,
    ): ZipMember {
        val flags = bytes.short(place + 8)
        val name = bytes.slice(place + 46, nameLength)
        return ZipMember(
            name = String(name, if (flags and UTF8 != 0) Charsets.UTF_8 else CODE_PAGE),
            rawName = name,
            method = bytes.short(place + 10),
            flags = flags,
            crc = bytes.int(place + 16),
            packed = bytes.int(place + 20),
            size = bytes.int(place + 24),
            header = bytes.int(place + 42) + before,
        )
    }

    /** The content of a stored member; its checksum is compared. */
    fun read(member: ZipMember): ByteArray {
        val content = content(member)
        val crc = CRC32().apply { update(content) }
        if (crc.value != member.crc) throw ZipException("the checksum of ${member.name} is wrong")
        return content
    }

    /** The same with at most so many bytes, whose checksum is not compared. */
    fun content(
        member: ZipMember,
        most: Long = Long.MAX_VALUE,
    ): ByteArray {
        val header = member.header
        if (header < 0 || header + 30 > end || bytes.int(header.toInt()) != LOCAL) {
            throw ZipException("the header of ${member.name} is damaged")
        }
        val place = header.toInt()
        val start = header + 30 + bytes.short(place + 26) + bytes.short(place + 28)
        if (!bytes.slice(place + 30, bytes.short(place + 26)).contentEquals(member.rawName)) {
            throw ZipException("the header of ${member.name} has another name")
        }
        if (member.flags and ENCRYPTED != 0) throw ZipException("${member.name} is encrypted")
        if (start + member.size > end) throw ZipException("${member.name} is cut off")
        return bytes.slice(start.toInt(), minOf(member.size, most).toInt())
    }

    companion object {
        const val END_BYTES = 22
        private const val END = 0x06054b50L
        private const val DIRECTORY = 0x02014b50L
        private const val LOCAL = 0x04034b50L
        private const val LOCATOR64 = 0x07064b50L
        private const val LOCATOR64_BYTES = 20
        private const val UTF8 = 0x800
        private const val ENCRYPTED = 1
        private val CODE_PAGE: Charset = if (Charset.isSupported("IBM437")) charset("IBM437") else Charsets.ISO_8859_1

        /** Where the last record begins; it must be the last bytes, without a comment. */
        private fun endOf(bytes: Bytes): Int {
            val end = bytes.size - END_BYTES
            if (end < 0 || bytes.int(end) != END || bytes.short(end + 20) != 0) {
                throw ZipException("it does not end as a zip file without a comment does")
            }
            val locator = end - LOCATOR64_BYTES
            if (locator >= 0 && bytes.int(locator) == LOCATOR64) {
                throw ZipException("it is a zip of the 64-bit kind, for larger files")
            }
            return end
        }
    }
}
