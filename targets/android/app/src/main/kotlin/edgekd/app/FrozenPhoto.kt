package edgekd.app

import android.graphics.Bitmap
import android.graphics.ImageDecoder
import edgekd.app.state.TakenPhoto
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.withContext
import java.io.IOException
import java.nio.ByteBuffer

private const val LONGEST_SIDE = 1280

/** A photo as it is shown, upright and small; null where Android cannot decode it. Decisions are never made on it. */
internal suspend fun shownPhoto(photo: TakenPhoto): Bitmap? =
    withContext(Dispatchers.Default) {
        try {
            ImageDecoder.decodeBitmap(ImageDecoder.createSource(ByteBuffer.wrap(photo.jpeg))) { decoder, info, _ ->
                decoder.allocator = ImageDecoder.ALLOCATOR_SOFTWARE
                val longest = maxOf(info.size.width, info.size.height)
                var factor = 1
                while (longest / factor > LONGEST_SIDE) factor++
                decoder.setTargetSampleSize(factor)
            }
        } catch (_: IOException) {
            null
        }
    }
