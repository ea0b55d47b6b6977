import ij.IJ;
import ij.ImagePlus;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Paths;

/** Opens a label image as ImageJ does and compares it with the labels: TIFF LABELS WIDTH PIXELSIZE. */
public class ReadTiff {
  public static void main(String[] args) throws Exception {
    int width = Integer.parseInt(args[2]);
    ByteBuffer labels = ByteBuffer.wrap(Files.readAllBytes(Paths.get(args[1]))).order(ByteOrder.LITTLE_ENDIAN);
    ImagePlus image = IJ.openImage(args[0]);
    if (image == null) throw new IllegalStateException("ImageJ does not open it");
    if (image.getWidth() != width) throw new IllegalStateException("width " + image.getWidth());
    for (int i = 0; i < width * image.getHeight(); i++) {
      float value = image.getProcessor().getf(i);
      if (value != labels.getInt(4 * i)) throw new IllegalStateException("pixel " + i + " is " + value);
    }
    System.out.println(image.getBitDepth() + " bits, " + image.getCalibration().pixelWidth + " " + image.getCalibration().getUnit());
  }
}
