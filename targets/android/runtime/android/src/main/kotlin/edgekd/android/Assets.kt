package edgekd.android

import android.content.res.AssetManager
import edgekd.Classifier
import edgekd.Edgekd
import edgekd.InputException
import edgekd.Options
import java.io.FileNotFoundException

/**
 * Open a bundle among an app's assets, such as `model.edgekd`; it is read into memory and never written to a disk.
 *
 * @throws InputException There is no such asset. What else [Edgekd.open] throws.
 */
fun Edgekd.openAsset(
    assets: AssetManager,
    name: String,
    options: Options = Options(),
): Classifier = open(assets.bytesOf(name), options)

/**
 * The bytes of an asset, such as a public key for [Options.publicKey].
 *
 * @throws InputException There is no such asset.
 */
fun AssetManager.bytesOf(name: String): ByteArray =
    try {
        open(name).use { it.readBytes() }
    } catch (error: FileNotFoundException) {
        throw InputException(
            "there is no asset $name",
            "put it there with `edgekd build --target android --app`",
            error,
        )
    }
