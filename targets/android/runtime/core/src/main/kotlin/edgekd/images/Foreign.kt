package edgekd.images

private const val CONVERT = "save it as JPEG or PNG"
private const val EXPORT = "export it as JPEG"
private const val RAW = "a camera's raw photo"
private const val JPEG_2000 = "a JPEG 2000 file"
private const val JPEG_XL = "a JPEG XL file"
private val STARTS =
    listOf(
        Triple("GIF8", "a GIF, which has too few colours", "take the original photo"),
        Triple("\u0000\u0000\u0000\u000cjP  \r\n\u0087\n", JPEG_2000, CONVERT),
        Triple("\u00ff\u004f\u00ff\u0051", JPEG_2000, CONVERT),
        Triple("\u00ff\n", JPEG_XL, CONVERT),
        Triple("\u0000\u0000\u0000\u000cJXL \r\n\u0087\n", JPEG_XL, CONVERT),
        Triple("II\u00bc\u0001", "a JPEG XR file", CONVERT),
        Triple("%PDF", "a PDF document", EXPORT),
        Triple("8BPS", "a Photoshop document", EXPORT),
        Triple("FUJIFILMCCD-RAW", RAW, EXPORT),
        Triple("IIRO", RAW, EXPORT),
        Triple("IIRS", RAW, EXPORT),
        Triple("IIU\u0000", RAW, EXPORT),
        Triple("PK\u0003\u0004", "a zip archive", "unpack it first"),
    )
private val HEIC = setOf("heic", "heix", "hevc", "hevx", "heim", "heis", "mif1", "msf1")
private val DOCUMENTS = listOf("<svg" to "an SVG drawing", "<!doctype html" to "a web page", "<html" to "a web page")
private const val READ = "JPEG, PNG, BMP, WebP, TIFF and DICOM are read"
private const val LOOKED_AT = 1024

/** The refusal of bytes that are in none of the formats that edgekd reads. */
internal fun refusal(data: Data): Unreadable {
    if (data.size == 0) return Unreadable("is empty", "copy it again from its source")
    STARTS.firstOrNull { data.startsWith(it.first) }?.let { (_, kind, hint) -> return Unreadable("is $kind", hint) }
    if (data.startsWith("ftyp", 4)) return baseMedia(data.text(8, 4))
    val text = data.text(0, LOOKED_AT).trimStart('\u00ef', '\u00bb', '\u00bf', ' ', '\t', '\r', '\n').lowercase()
    val document = if (text.startsWith("<")) DOCUMENTS.firstOrNull { it.first in text } else null
    if (document != null) return Unreadable("is ${document.second}", "give the photo itself")
    return Unreadable("is not an image of a known format", READ)
}

private fun baseMedia(brand: String): Unreadable =
    when (brand) {
        in HEIC -> {
            Unreadable("is a HEIC photo", "set the camera to JPEG (“most compatible”), or convert it to JPEG")
        }

        "avif", "avis" -> {
            Unreadable("is an AVIF image", CONVERT)
        }

        "crx " -> {
            Unreadable("is $RAW", EXPORT)
        }

        else -> {
            Unreadable("is a video", "give one of its pictures as JPEG or PNG")
        }
    }
