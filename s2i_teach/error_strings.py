"""What a widget says when something cannot be done, in each language but English: to add one, translate the table.

The English sentences stand where they are raised. ``tests/test_error_strings.py`` finds them there and asks for each.
"""

from s2i_teach.languages import Sentences

_GERMAN = {
    # the tool for a style
    "The page is empty: draw something first.": "Das Blatt ist leer: zuerst etwas zeichnen.",
    'Say what the drawing shows, such as "a cat": the model learns from words and pictures.': (
        'Sagen, was die Zeichnung zeigt, etwa "a cat": das Modell lernt aus Wörtern und Bildern.'
    ),
    "Nothing was learned yet: train first.": "Es ist noch nichts gelernt: zuerst trainieren.",
    'A style is trained for a model built as Stable Diffusion 1 or 2: use "mini" or "sd15".': (
        'Ein Stil wird für ein Modell trainiert, das wie Stable Diffusion 1 oder 2 gebaut ist: "mini" oder "sd15" verwenden.'
    ),
    'Each drawing needs its caption: give pairs such as (picture, "a cat").': (
        'Jede Zeichnung braucht ihre Beschriftung: Paare wie (Bild, "a cat") angeben.'
    ),
    'The drawings must be a list of pairs such as (picture, "a cat").': (
        'Die Zeichnungen müssen eine Liste von Paaren wie (Bild, "a cat") sein.'
    ),
    "The drawings must be a list of pictures with captions, {} at most.": (
        "Die Zeichnungen müssen eine Liste von Bildern mit Beschriftungen sein, höchstens {0}."
    ),
    "The style's file is called {}: give a name that ends in .safetensors.": (
        "Die Datei des Stils heißt {0}: einen Namen angeben, der auf .safetensors endet."
    ),
    "There is no drawing to learn from: give ten or so.": "Es gibt keine Zeichnung, aus der gelernt werden kann: etwa zehn angeben.",
    "seed is {}: use a whole number from 0 on, below {}.": "seed ist {0}: eine ganze Zahl ab 0 und unter {1} verwenden.",
    "steps is {}: use a whole number from 1 to 1000.": "steps ist {0}: eine ganze Zahl von 1 bis 1000 verwenden.",
    'which={} is not known: use "attention", "convolutions" or "all".': (
        'which={0} ist nicht bekannt: "attention", "convolutions" oder "all" verwenden.'
    ),
    "{} is {}: use a number above 0, up to {}.": "{0} ist {1}: eine Zahl über 0 und höchstens {2} verwenden.",
    "{} is {}: use a whole number from 1 to 100000.": "{0} ist {1}: eine ganze Zahl von 1 bis 100000 verwenden.",
    # files
    "{} is no file name: give text or a path.": "{0} ist kein Dateiname: Text oder einen Pfad angeben.",
    "The file name is empty: give the name of a file.": "Der Dateiname ist leer: den Namen einer Datei angeben.",
    "The file name has a zero byte in it: give a plain file name.": (
        "Der Dateiname enthält ein Null-Byte: einen gewöhnlichen Dateinamen angeben."
    ),
    "A {} names no model: give a name of the catalog, a folder or an id.": (
        "{0} benennt kein Modell: einen Namen des Katalogs, einen Ordner oder eine Kennung angeben."
    ),
    "A contact sheet is made of a list of (pictures, caption): give pictures as PIL images.": (
        "Ein Bogen entsteht aus einer Liste von (Bilder, Beschriftung): Bilder als PIL-Bilder angeben."
    ),
    "{} did not arrive whole: choose it again.": "{0} ist nicht vollständig angekommen: noch einmal wählen.",
    "The page's request is damaged: run the studio's cell again.": (
        "Die Anfrage der Seite ist beschädigt: die Zelle des Studios noch einmal ausführen."
    ),
    "{} has characters that cannot be written in a name here: change it.": (
        "{0} enthält Zeichen, die hier in keinem Namen stehen können: den Namen ändern."
    ),
    "{} has characters that no file name can have: give a plain file name.": (
        "{0} enthält Zeichen, die kein Dateiname haben kann: einen gewöhnlichen Dateinamen angeben."
    ),
    "{} is longer than a file name can be: give a shorter one.": (
        "{0} ist länger, als ein Dateiname sein kann: einen kürzeren angeben."
    ),
    "{} names a user that is not known here: write the folder out.": (
        "{0} nennt einen Benutzer, den es hier nicht gibt: den Ordner ausschreiben."
    ),
    "{} cannot be read: {}.": "{0} kann nicht gelesen werden: {1}.",
    "{} cannot be written: {}.": "{0} kann nicht geschrieben werden: {1}.",
    "{} cannot be written: {} is no folder that you may write to.": (
        "{0} kann nicht geschrieben werden: {1} ist kein Ordner, in den geschrieben werden darf."
    ),
    "{} is a folder: give a file name.": "{0} ist ein Ordner: einen Dateinamen angeben.",
    "The embedded data was not found at {}: reinstall s2i_teach, or set S2I_DATA to the folder that holds it.": (
        "Die mitgelieferten Daten fehlen unter {0}: s2i_teach neu installieren oder S2I_DATA auf den Ordner mit den "
        "Daten setzen."
    ),
    # the quiz and the survey
    "{} is too large for a file of answers: move it away, and begin anew.": (
        "{0} ist zu groß für eine Datei mit Antworten: sie weglegen und neu beginnen."
    ),
    "{} holds no answers that can be read: move it away, and begin anew.": (
        "{0} enthält keine lesbaren Antworten: die Datei weglegen und neu beginnen."
    ),
    "It was answered elsewhere meanwhile: run the cell again.": (
        "Inzwischen wurde anderswo geantwortet: die Zelle noch einmal ausführen."
    ),
    "It was answered twice: move {} away to begin anew.": (
        "Es wurde zweimal geantwortet: {0} weglegen, um neu zu beginnen."
    ),
    "The answers are {}: give a list of letters, one a question.": (
        "Die Antworten sind {0}: eine Liste von Buchstaben angeben, einen je Frage."
    ),
    "There are {} questions and {} answers: give one each, None where you do not know.": (
        "Es sind {0} Fragen und {1} Antworten: zu jeder eine angeben, None für unbekannt."
    ),
    "The answer to question {} is {}: give one of {}, or None.": (
        "Die Antwort auf Frage {0} ist {1}: eine von {2} oder None angeben."
    ),
    # families
    "There is no family {}: use {}.": "Die Familie {0} gibt es nicht: {1} verwenden.",
    "The weights of {} are not in {}: train them with s2i train family {}.": (
        "Die Gewichte von {0} liegen nicht in {1}: mit s2i train family {2} trainieren."
    ),
    "{} is damaged: train the family again.": "{0} ist beschädigt: die Familie noch einmal trainieren.",
    "{} holds no weights of {}, or of another version of it: train it again.": (
        "{0} enthält keine Gewichte von {1} oder die einer anderen Fassung: noch einmal trainieren."
    ),
    '{} computes in fp32 alone: leave dtype out, or use "fp32".': (
        '{0} rechnet nur in fp32: dtype weglassen oder "fp32" verwenden.'
    ),
    "scheduler is given, and {} denoises nothing: leave it out.": (
        "scheduler ist angegeben, und {0} entrauscht nichts: weglassen."
    ),
    "{} draws {} × {} pixels alone: leave size out, or use another model.": (
        "{0} zeichnet nur {1} × {2} Pixel: size weglassen oder ein anderes Modell verwenden."
    ),
    "This model reads no words: it made the picture of the lines alone.": (
        "Dieses Modell liest keine Wörter: es hat das Bild allein aus den Linien gemacht."
    ),
    # pictures
    "A picture cannot be made from a {}: give a path, the bytes of a picture file, a PIL image or an array.": (
        "Aus einem Wert vom Typ {0} wird kein Bild: einen Pfad, die Bytes einer Bilddatei, ein PIL-Bild oder ein Array "
        "angeben."
    ),
    "{} is a web address: save the picture first and give its file name.": (
        "{0} ist eine Webadresse: das Bild zuerst speichern und den Dateinamen angeben."
    ),
    "{} is a folder: give one picture file.": "{0} ist ein Ordner: eine Bilddatei angeben.",
    "{} does not exist: check the name (you are in {}).": (
        "{0} gibt es nicht: den Namen prüfen (der aktuelle Ordner ist {1})."
    ),
    "{} is empty: save the picture again.": "{0} ist leer: das Bild noch einmal speichern.",
    "{} is animated ({} frames): save one frame as a PNG.": (
        "{0} ist animiert ({1} Einzelbilder): ein Einzelbild als PNG speichern."
    ),
    "the changes {} are not there": "die Änderungen {0} sind nicht da",
    "the changes in {} do not fit: {} is not one of the weights": (
        "die Änderungen in {0} passen nicht: {1} gehört nicht zu den Gewichten"
    ),
    "{} unpacks to too many pixels: make it smaller than 12000 × 12000.": (
        "{0} hat entpackt zu viele Pixel: auf weniger als 12000 × 12000 verkleinern."
    ),
    "{} is a HEIC photograph: pip install pillow-heif, or save it as JPEG.": (
        "{0} ist ein HEIC-Foto: pip install pillow-heif, oder als JPEG speichern."
    ),
    "{} is a PDF: save its page as PNG, or take a picture of the screen.": (
        "{0} ist ein PDF: die Seite als PNG speichern oder ein Bildschirmfoto machen."
    ),
    "{} is an SVG, lines without pixels: export it as PNG; a sketch pad's is opened by s2i.SketchPad.": (
        "{0} ist ein SVG, Linien ohne Pixel: als PNG exportieren; das eines Zeichenblocks öffnet s2i.SketchPad."
    ),
    "{} is not a picture that can be read: save it as PNG or JPEG.": (
        "{0} ist kein lesbares Bild: als PNG oder JPEG speichern."
    ),
    "{} is damaged or cut off ({}): save or copy it again.": (
        "{0} ist beschädigt oder abgeschnitten ({1}): noch einmal speichern oder kopieren."
    ),
    "{} has no pixels ({} × {}): save the picture again.": (
        "{0} hat keine Pixel ({1} × {2}): das Bild noch einmal speichern."
    ),
    "{} is too large ({} × {} pixels): make it smaller than {} × {}.": (
        "{0} ist zu groß ({1} × {2} Pixel): auf weniger als {3} × {4} verkleinern."
    ),
    "An array of shape {} is no picture: give (H, W) or (H, W, 3).": (
        "Ein Array der Form {0} ist kein Bild: (H, W) oder (H, W, 3) angeben."
    ),
    "The array holds values that are not finite: give floats in [0, 1].": (
        "Das Array enthält Werte, die nicht endlich sind: Fließkommazahlen in [0, 1] angeben."
    ),
    "The array's floats reach from {} to {}: scale them to [0, 1].": (
        "Die Fließkommazahlen des Arrays reichen von {0} bis {1}: auf [0, 1] skalieren."
    ),
    "The array's values reach from {} to {}: give uint8, 0 to 255.": (
        "Die Werte des Arrays reichen von {0} bis {1}: uint8 von 0 bis 255 angeben."
    ),
    "An array of {} is no picture: give uint8, or floats in [0, 1].": (
        "Ein Array vom Typ {0} ist kein Bild: uint8 oder Fließkommazahlen in [0, 1] angeben."
    ),
    "The picture holds values that are not finite: save it again as a PNG.": (
        "Das Bild enthält Werte, die nicht endlich sind: noch einmal als PNG speichern."
    ),
    "The size {} is not two numbers: give (width, height) in pixels.": (
        "Die Größe {0} besteht nicht aus zwei Zahlen: (Breite, Höhe) in Pixeln angeben."
    ),
    "The size {} × {} cannot be used: give sides from {} to 8000 pixels.": (
        "Die Größe {0} × {1} ist nicht möglich: Seiten von {2} bis 8000 Pixeln angeben."
    ),
    "The size {} × {} does not fit this model: its sides must be multiples of {}, for instance {} × {}.": (
        "Die Größe {0} × {1} passt nicht zu diesem Modell: die Seiten müssen Vielfache von {2} sein, zum Beispiel {3} "
        "× {4}."
    ),
    'fit={} is not known: use "pad" or "crop".': 'fit={0} gibt es nicht: "pad" oder "crop" verwenden.',
    "A {} is no tensor: give (3, H, W) in [-1, 1].": (
        "Ein Wert vom Typ {0} ist kein Tensor: (3, H, W) in [-1, 1] angeben."
    ),
    "A tensor of shape {} is no picture: give (3, H, W) in [-1, 1].": (
        "Ein Tensor der Form {0} ist kein Bild: (3, H, W) in [-1, 1] angeben."
    ),
    "A tensor of {} is no picture: give floats in [-1, 1].": (
        "Ein Tensor vom Typ {0} ist kein Bild: Fließkommazahlen in [-1, 1] angeben."
    ),
    "The tensor holds values that are not finite: nothing can be shown.": (
        "Der Tensor enthält Werte, die nicht endlich sind: es gibt nichts zu zeigen."
    ),
    "This is no PIL picture ({}): a result has one, result.image.": (
        "Das ist kein PIL-Bild ({0}): ein Ergebnis hat eines, result.image."
    ),
    "The page was not white paper: it was cleaned to ink on white before anything else.": (
        "Das Blatt war kein weißes Papier: es wurde zuerst zu Tinte auf Weiß gereinigt."
    ),
    "The page looks like light lines on a dark board: it was turned around and cleaned to ink on white.": (
        "Das Blatt sieht nach hellen Linien auf dunkler Tafel aus: es wurde umgekehrt und zu Tinte auf Weiß gereinigt."
    ),
    "Most things on this page are only about {} pixels large, so they come out badly: a size of {} × {} is better for them.": (
        "Die meisten Dinge auf diesem Blatt sind nur etwa {0} Pixel groß, darum misslingen sie leicht: eine Bildgröße von "
        "{1} × {2} ist besser für sie."
    ),
    # models
    'The device {} is not available here: use "cpu".': 'Das Gerät {0} gibt es hier nicht: "cpu" verwenden.',
    "The dtype {} is not known: use {}.": "Den dtype {0} gibt es nicht: {1} verwenden.",
    "fp16 on a CPU is 30 to 50 times slower than fp32: leave dtype out, or use fp32.": (
        "fp16 ist auf einer CPU 30- bis 50-mal langsamer als fp32: dtype weglassen oder fp32 verwenden."
    ),
    "{} brings code along ({}): such code is never run; delete it to go on.": (
        "{0} bringt Code mit ({1}): solcher Code wird nie ausgeführt; zum Weitermachen löschen."
    ),
    "{} names code of its own as its pipeline: such code is never run.": (
        "{0} nennt eigenen Code als Pipeline: solcher Code wird nie ausgeführt."
    ),
    "{} wants code of its own for its part {}: such code is never run.": (
        "{0} verlangt eigenen Code für den Teil {1}: solcher Code wird nie ausgeführt."
    ),
    "{} has no {}: it is no Stable Diffusion model in diffusers' format.": (
        "{0} hat kein {1}: es ist kein Stable-Diffusion-Modell im Format von diffusers."
    ),
    "{} has no {}: it is no FLUX.2 [klein] in diffusers' format.": (
        "{0} hat kein {1}: es ist kein FLUX.2 [klein] im Format von diffusers."
    ),
    "{} lists weights that are no safetensors: pickles are never read.": (
        "{0} nennt Gewichte, die keine Safetensors sind: Pickles werden nie gelesen."
    ),
    "{} is of another kind (inpainting, say, by its U-Net or VAE): use a plain Stable Diffusion 1, 2 or XL.": (
        "{0} ist von anderer Art (etwa Inpainting, dem U-Net oder VAE nach): ein gewöhnliches Stable Diffusion 1, 2 oder XL "
        "verwenden."
    ),
    'its ControlNet is not in {}: train it with s2i train control, or use "mini"': (
        'das ControlNet fehlt in {0}: mit s2i train control trainieren oder "mini" verwenden'
    ),
    "{} is no ControlNet: its configuration names {}.": "{0} ist kein ControlNet: die Konfiguration nennt {1}.",
    "{} is a ControlNet that pools its hint (shuffle): use one of lines.": (
        "{0} ist ein ControlNet, das seine Vorlage mittelt (shuffle): eines für Linien verwenden."
    ),
    "{} takes hints of {} channels: use one that takes 3.": (
        "{0} erwartet Vorlagen mit {1} Kanälen: eines für 3 Kanäle verwenden."
    ),
    "{} was made for another U-Net ({} is {} there and {} in {}): use the ControlNet of this model.": (
        "{0} gehört zu einem anderen U-Net ({1} ist dort {2} und {3} in {4}): das ControlNet dieses Modells verwenden."
    ),
    "The text encoder in {} lacks {} of its weights, among them {}.": (
        "Dem Text-Encoder in {0} fehlen {1} seiner Gewichte, darunter {2}."
    ),
    "the {} in {} lacks {} of its weights, among them {}": "dem {0} in {1} fehlen {2} seiner Gewichte, darunter {3}",
    "{} needs a newer package peft: pip install -U peft.": "{0} braucht ein neueres Paket peft: pip install -U peft.",
    "the LoRA {} does not fit its U-Net": "das LoRA {0} passt nicht zu seinem U-Net",
    # styles
    "The style {} is not there: give a file that ends in .safetensors, or its folder.": (
        "Den Stil {0} gibt es nicht: eine Datei angeben, die auf .safetensors endet, oder ihren Ordner."
    ),
    "The style {} is larger than {} GB: give another.": "Der Stil {0} ist größer als {1} GB: einen anderen angeben.",
    "The style {} is damaged ({}): make it again.": "Der Stil {0} ist beschädigt ({1}): noch einmal herstellen.",
    "The style {} is damaged (B of {} does not fit its A): make it again.": (
        "Der Stil {0} ist beschädigt (B von {1} passt nicht zu seinem A): noch einmal herstellen."
    ),
    "The style {} is damaged (not all of its numbers are finite): make it again.": (
        "Der Stil {0} ist beschädigt (nicht alle seine Zahlen sind endlich): noch einmal herstellen."
    ),
    "{} is no style that can be used here ({}): give a LoRA of a U-Net alone.": (
        "{0} ist kein Stil, der hier zu gebrauchen ist ({1}): ein LoRA allein eines U-Nets angeben."
    ),
    'A style needs the weights at hand: load the model with offload="parts", or leave style out.': (
        'Ein Stil braucht die Gewichte zur Hand: das Modell mit offload="parts" laden oder style weglassen.'
    ),
    "The style {} does not fit this model ({}): give one that was trained on it.": (
        "Der Stil {0} passt nicht zu diesem Modell ({1}): einen angeben, der mit ihm trainiert wurde."
    ),
    "style must be the path of a file, not {}.": "style muss der Pfad einer Datei sein, nicht {0}.",
    "style_weight is {}, and there is no style: give both, or neither.": (
        "style_weight ist {0}, und es gibt keinen Stil: beides angeben oder keines."
    ),
    "style_weight is {}: use a number from 0 to 2.": "style_weight ist {0}: eine Zahl von 0 bis 2 verwenden.",
    'style is given, which {} does not take: leave it out, or use a model such as "mini".': (
        "style ist angegeben, und {0} nimmt es nicht: weglassen oder ein Modell wie „mini“ verwenden."
    ),
    "its download of {} has no room, as {} are free in {}: delete something, or set HF_HOME to a folder on a larger disk": (
        "sein Download von {0} hat keinen Platz, denn in {2} sind {1} frei: etwas löschen oder HF_HOME auf einen Ordner "
        "auf einer größeren Platte setzen"
    ),
    "{} cannot be read: fetch or save the model again.": (
        "{0} kann nicht gelesen werden: das Modell noch einmal holen oder speichern."
    ),
    "{} is damaged: fetch or save the model again.": "{0} ist beschädigt: das Modell noch einmal holen oder speichern.",
    "A {} cannot be run here: use load_pipeline, or make a {}.": (
        "Ein Objekt vom Typ {0} kann hier nicht laufen: load_pipeline verwenden, oder den Typ {1}."
    ),
    "This pipeline has several ControlNets, and one is all that can be run here: give it one.": (
        "Diese Pipeline hat mehrere ControlNets, und hier kann nur eines laufen: ihr eines geben."
    ),
    "This pipeline is SDXL's refiner, which finishes what SDXL's base begins: use the base alone.": (
        "Diese Pipeline ist der Refiner von SDXL, der fertig macht, was SDXLs Basismodell beginnt: nur das Basismodell verwenden."
    ),
    'attention_slicing={} is not known: use "auto", True or False.': (
        'attention_slicing={0} gibt es nicht: "auto", True oder False verwenden.'
    ),
    "The shapes of {} are not known here: use {}.": "Die Formen von {0} sind hier nicht bekannt: {1} verwenden.",
    "offload={} is not known: use {}.": "offload={0} gibt es nicht: {1} verwenden.",
    'offload="{}" needs a GPU, and this runs on {}: leave it out.': (
        'offload="{0}" braucht eine GPU, und hier läuft es auf {1}: weglassen.'
    ),
    "quantize={} is not known: use {}.": "quantize={0} gibt es nicht: {1} verwenden.",
    'quantize="nf4" is for models such as "flux2-klein": leave it out for this one.': (
        'quantize="nf4" ist für Modelle wie "flux2-klein": bei diesem weglassen.'
    ),
    'quantize="nf4" needs a GPU, and this runs on {}: leave it out.': (
        'quantize="nf4" braucht eine GPU, und hier läuft es auf {0}: weglassen.'
    ),
    'quantize="nf4" needs the package bitsandbytes: pip install -U bitsandbytes.': (
        'quantize="nf4" braucht das Paket bitsandbytes: pip install -U bitsandbytes.'
    ),
    'A {} needs diffusers {} or newer: pip install -U "diffusers>={}".': (
        'Eine {0} braucht diffusers {1} oder neuer: pip install -U "diffusers>={2}".'
    ),
    'small_vae={} is not known: use "auto", True or False.': (
        'small_vae={0} gibt es nicht: "auto", True oder False verwenden.'
    ),
    "For {} no small VAE is known: leave small_vae out.": (
        "Für {0} ist kein kleiner VAE bekannt: small_vae weglassen."
    ),
    "{} could not be loaded ({}).{}": "{0} konnte nicht geladen werden ({1}).{2}",
    "{} holds no diffusers pipeline (no model_index.json): give the folder that does.": (
        "{0} enthält keine Pipeline von diffusers (kein model_index.json): den Ordner angeben, der sie enthält."
    ),
    "The model {} is not known: use {}, a folder saved by diffusers, or a Hugging Face id such as "
    "stable-diffusion-v1-5/stable-diffusion-v1-5.": (
        "Das Modell {0} gibt es nicht: {1}, einen von diffusers gespeicherten Ordner oder eine Kennung von Hugging "
        "Face wie stable-diffusion-v1-5/stable-diffusion-v1-5 verwenden."
    ),
    "The scheduler {} is not known: use one of {}.": "Den Scheduler {0} gibt es nicht: einen von {1} verwenden.",
    # settings
    "{} must be text, not {}.": "{0} muss Text sein, nicht {1}.",
    "{} has characters that are no text: type it again.": (
        "{0} enthält Zeichen, die kein Text sind: noch einmal eintippen."
    ),
    "invert must be True or False, not {}.": "invert muss True oder False sein, nicht {0}.",
    "masking must be True or False, not {}.": "masking muss True oder False sein, nicht {0}.",
    "{} must be {}, not {}.": "{0} muss {1} sein, nicht {2}.",
    "{} must be True or False, not {}.": "{0} muss True oder False sein, nicht {1}.",
    "strength is {}: use a number above 0 (keeps the sketch) and up to 1 (nearly ignores it).": (
        "Die Stärke ist {0}: eine Zahl über 0 (behält die Skizze) und bis 1 (beachtet sie kaum) verwenden."
    ),
    "guidance_scale is {}: use a number from 0 to 100, often 3 to 8.": (
        "Die Guidance ist {0}: eine Zahl von 0 bis 100 verwenden, meist 3 bis 8."
    ),
    "num_inference_steps is {}: use a number from 1 to 999.": (
        "Die Zahl der Schritte ist {0}: eine Zahl von 1 bis 999 verwenden."
    ),
    "The seed is {}: use a whole number from 0 to 2^63 - 1.": (
        "Der Seed ist {0}: eine ganze Zahl von 0 bis 2^63 - 1 verwenden."
    ),
    "{}={} is not known: use one of {}.": "{0}={1} gibt es nicht: eines von {2} verwenden.",
    "{} is {}: use a number from 0 to {}.": "{0} ist {1}: eine Zahl von 0 bis {2} verwenden.",
    "control_start is {} and control_end {}: the ControlNet must start before it ends.": (
        "control_start ist {0} und control_end {1}: das ControlNet muss beginnen, bevor es endet."
    ),
    "timesteps must be a list of whole numbers, not {}.": "timesteps muss eine Liste ganzer Zahlen sein, nicht {0}.",
    "timesteps must be 1 to 999 different whole numbers from 0 up, such as [0, 250, 500, 750].": (
        "timesteps müssen 1 bis 999 verschiedene ganze Zahlen ab 0 sein, etwa [0, 250, 500, 750]."
    ),
    "num_inference_steps is {} and {} timesteps are given: leave one out.": (
        "Die Zahl der Schritte ist {0}, und {1} timesteps sind angegeben: eines davon weglassen."
    ),
    "{} chooses its timesteps itself: to give them, use {}.": (
        "{0} wählt die timesteps selbst: um sie anzugeben, {1} verwenden."
    ),
    "The timestep {} is not on this model's schedule: use 0 to {}.": (
        "Der Zeitschritt {0} kommt im Schedule dieses Modells nicht vor: 0 bis {1} verwenden."
    ),
    "scheduler={} is of another kind than this model, which is a flow: leave it out.": (
        "scheduler={0} ist von anderer Art als dieses Modell, das ein Fluss ist: weglassen."
    ),
    "guidance_scale is {}, and {} was distilled to run without guidance: leave it out.": (
        "guidance_scale ist {0}, und {1} wurde so destilliert, dass es ohne Guidance läuft: weglassen."
    ),
    "The size {} × {} cannot be edited: give sides from {} pixels, the longer at most {} times the shorter.": (
        "Die Größe {0} × {1} kann nicht bearbeitet werden: Seiten ab {2} Pixeln angeben, die längere höchstens {3}-mal so lang "
        "wie die kürzere."
    ),
    '{} is a flow, of which these parameters say nothing: use a model of diffusion, such as "mini".': (
        '{0} ist ein Fluss, über den diese Parameter nichts sagen: ein Diffusionsmodell wie "mini" verwenden.'
    ),
    "{} is given, which {} does not take: leave it out{}.": "{0} ist angegeben, was {1} nicht annimmt: weglassen{2}.",
    "{} is not known: use {}.": "{0} gibt es nicht: {1} verwenden.",
    "The record has no settings: it was written by another version of s2i_teach.": (
        "Der Datensatz hat keine Einstellungen: eine andere Version von s2i_teach hat ihn geschrieben."
    ),
    "The record {}: it was written by another version of s2i_teach.": (
        "Der Datensatz {0}: eine andere Version von s2i_teach hat ihn geschrieben."
    ),
    "start_scale is {}: img2img has no loss that it could weigh; leave it 0 and use strength.": (
        "start_scale ist {0}: img2img hat keinen Verlust, den es gewichten könnte; bei 0 lassen und strength verwenden."
    ),
    "diffusion_steps is {} and {} was trained on {}: leave it {}, and choose the number of steps by "
    "timestep_respacing.": (
        "diffusion_steps ist {0}, und {1} wurde mit {2} trainiert: bei {3} lassen und die Zahl der Schritte mit "
        "timestep_respacing wählen."
    ),
    "num_resolutions is {} and {} has {}, fixed by its weights: leave it {}.": (
        "num_resolutions ist {0}, und {1} hat {2}, durch die Gewichte festgelegt: bei {3} lassen."
    ),
    'timestep_respacing is {}: give a number, "10,15,20" or "ddim50".': (
        'timestep_respacing ist {0}: eine Zahl, "10,15,20" oder "ddim50" angeben.'
    ),
    "diffusion_steps is {}: give a whole number, 1000 for Stable Diffusion.": (
        "diffusion_steps ist {0}: eine ganze Zahl angeben, 1000 für Stable Diffusion."
    ),
    "The steps are given by timestep_respacing: leave num_inference_steps and timesteps out.": (
        "Die Schritte gibt timestep_respacing an: num_inference_steps und timesteps weglassen."
    ),
    "No whole stride takes {} of {} timesteps.": "Keine ganze Schrittweite nimmt {0} von {1} Zeitschritten.",
    "Section {} has {} timesteps: {} of them cannot be kept.": (
        "Abschnitt {0} hat {1} Zeitschritte: {2} davon können nicht behalten werden."
    ),
    # prompts
    "The prompt is a {}: give a text.": "Der Prompt ist vom Typ {0}: einen Text angeben.",
    "This is no tokenizer ({}): give pipe.tokenizer.": "Das ist kein Tokenizer ({0}): pipe.tokenizer angeben.",
    'The template is a {}: give a text, such as "a {{thing}}, noto style".': (
        'Die Vorlage ist vom Typ {0}: einen Text angeben, etwa "a {{thing}}, noto style".'
    ),
    "The template {} has a brace without its partner ({}): close it, or write {{{{ or }}}} for a brace that is "
    "meant.": (
        "In der Vorlage {0} fehlt einer Klammer die zweite ({1}): schließen, oder {{{{ oder }}}} für eine gemeinte "
        "Klammer schreiben."
    ),
    "A field of the template {} is no plain name: write it as {{thing}}.": (
        "Ein Feld der Vorlage {0} ist kein einfacher Name: als {{thing}} schreiben."
    ),
    "The template asks for {}, which is not given: add {}=[…].": (
        "Die Vorlage verlangt {0}, das nicht angegeben ist: {1}=[…] ergänzen."
    ),
    "{} is given, but the template {} has no {{{}}}.": "{0} ist angegeben, aber in der Vorlage {1} fehlt {{{2}}}.",
    "{} is a {}: give a list of texts.": "{0} ist vom Typ {1}: eine Liste von Texten angeben.",
    "{} has {}: give texts.": "{0} hat {1}: Texte angeben.",
    "These lists make {} prompts: give shorter ones, for {} at most.": (
        "Diese Listen ergeben {0} Prompts: kürzere angeben, für höchstens {1}."
    ),
    "The model reads {} pieces of words; of the {} it did not read: {}.": (
        "Das Modell liest {0} Wortstücke; vom {1} las es nicht: {2}."
    ),
    # runs and their results
    "The memory of {} is not enough for {} × {} pixels: use a smaller size, or restart the notebook "
    "to free what it holds.": (
        "Der Speicher von {0} reicht nicht für {1} × {2} Pixel: eine kleinere Größe verwenden "
        "oder das Notebook neu starten, damit frei wird, was es belegt."
    ),
    'The latents are not finite in this precision: load the model with dtype="fp32" (some GPUs, such as the GTX 16 '
    "series, cannot run it in fp16).": (
        'Die Latents sind in dieser Genauigkeit nicht endlich: das Modell mit dtype="fp32" laden (manche GPUs, etwa '
        "die Reihe GTX 16, können es nicht in fp16)."
    ),
    'The picture is not finite even when decoded in fp32: load the model with dtype="fp32".': (
        'Das Bild ist auch in fp32 dekodiert nicht endlich: das Modell mit dtype="fp32" laden.'
    ),
    "Memory ran short, so {}.": "Der Speicher reichte nicht, darum: {0}.",
    "Half precision overflowed in the VAE: the picture was decoded in fp32.": (
        "Die halbe Genauigkeit lief im VAE über: das Bild wurde in fp32 dekodiert."
    ),
    "The model's safety checker blacked this picture out: use another prompt or seed.": (
        "Der Sicherheitsfilter des Modells hat dieses Bild geschwärzt: einen anderen Prompt oder Seed verwenden."
    ),
    "{} does not end in .png: results are PNG files, since only those hold the settings.": (
        "{0} endet nicht auf .png: Ergebnisse sind PNG-Dateien, da nur diese die Einstellungen enthalten."
    ),
    "{} holds no settings: only pictures saved by s2i_teach do (a copy through an editor or a messenger loses them).": (
        "{0} enthält keine Einstellungen: das tun nur von s2i_teach gespeicherte Bilder (eine Kopie aus einem "
        "Bildprogramm oder einem Messenger verliert sie)."
    ),
    "The settings inside {} are damaged ({}): make the picture again.": (
        "Die Einstellungen in {0} sind beschädigt ({1}): das Bild noch einmal machen."
    ),
    "{} cannot be split: give a tensor (P, S, …) with at least 2 prompts and 2 seeds.": (
        "{0} kann nicht zerlegt werden: einen Tensor (P, S, …) mit mindestens 2 Prompts und 2 Seeds angeben."
    ),
    "These pictures have no variance to share out: they are all equal, or not finite.": (
        "Diese Bilder haben keine Varianz zu verteilen: sie sind alle gleich oder nicht endlich."
    ),
    # scores
    "No value has no mean: give at least one.": "Ohne Wert gibt es keinen Mittelwert: mindestens einen angeben.",
    "{} scores, {} scores and {} sketches cannot be paired: give as many of each, and at least one.": (
        "{0} Werte, {1} Werte und {2} Skizzen lassen sich nicht paaren: von jedem gleich viele angeben, mindestens eins."
    ),
    "There is no split {}: use 'train' or 'test'.": "Einen Teil {0} gibt es nicht: 'train' oder 'test' angeben.",
    "There is no picture of the style {}: use 'openmoji', 'noto' or another with pictures.": (
        "Es gibt kein Bild im Stil {0}: 'openmoji', 'noto' oder einen anderen mit Bildern angeben."
    ),
    "{} values cannot be paired with {}: give as many of both.": (
        "{0} Werte bilden keine Paare mit {1}: von beiden gleich viele angeben."
    ),
    "{} differences cannot be flipped in all ways: give 1 to {}.": (
        "{0} Differenzen können nicht auf alle Arten umgekehrt werden: 1 bis {1} angeben."
    ),
    "These are no numbers in a list ({}): give a list of numbers.": (
        "Das sind keine Zahlen in einer Liste ({0}): eine Liste von Zahlen angeben."
    ),
    "Not all of these numbers are finite: leave out what they belong to.": (
        "Nicht alle diese Zahlen sind endlich: weglassen, wozu sie gehören."
    ),
    "{} groups were given for {} values: give one for each.": (
        "{0} Gruppen sind für {1} Werte angegeben: für jeden eine angeben."
    ),
    "A {} holds no results: give a list of what s2i.translate returned.": (
        "Ein Objekt vom Typ {0} enthält keine Ergebnisse: eine Liste dessen angeben, was s2i.translate lieferte."
    ),
    "There is no result to judge: give a list of what s2i.translate returned.": (
        "Es gibt kein Ergebnis zu bewerten: eine Liste dessen angeben, was s2i.translate lieferte."
    ),
    "Number {} of the results is a {}: give what s2i.translate or s2i.sweep returned.": (
        "Nummer {0} der Ergebnisse ist vom Typ {1}: angeben, was s2i.translate oder s2i.sweep lieferte."
    ),
    "The sketch is empty: nothing on it is darker than mid-grey, so nothing can be kept or lost.": (
        "Die Skizze ist leer: nichts darauf ist dunkler als mittleres Grau, also kann nichts bleiben oder verloren "
        "gehen."
    ),
    "Lines of shape {} and edges of shape {} cannot be compared: give two (H, W) of one size, and at least one pixel "
    "of ink.": (
        "Linien der Form {0} und Kanten der Form {1} können nicht verglichen werden: zwei (H, W) gleicher Größe und "
        "mindestens ein Pixel Tinte angeben."
    ),
    "tolerance is {}: use 0 or more, such as {} of the shorter side.": (
        "tolerance ist {0}: 0 oder mehr verwenden, etwa {1} der kürzeren Seite."
    ),
    "{} is no list of distances: give what edge_distances returns, an array (n,) without nan.": (
        "{0} ist keine Liste von Abständen: angeben, was edge_distances liefert, ein Array (n,) ohne nan."
    ),
    "There is no point of a line, so nothing can be found or lost: is the sketch empty?": (
        "Es gibt keinen Punkt einer Linie, also kann nichts gefunden werden oder fehlen: ist die Skizze leer?"
    ),
    "{} is not available: install what it needs with pip install {}.": (
        "{0} gibt es hier nicht: was fehlt, mit pip install {1} installieren."
    ),
    "{} is not available: put its weights, {}, into {}.": (
        "{0} gibt es hier nicht: die Gewichte {1} in den Ordner {2} legen."
    ),
    "{} is not available: fetch its model with huggingface-cli download {}.": (
        "{0} gibt es hier nicht: das Modell mit huggingface-cli download {1} holen."
    ),
    "{} pictures have no distribution: give at least 2 of each kind.": (
        "Die Zahl der Bilder ist {0}, zu wenig für eine Verteilung: von jeder Art mindestens 2 angeben."
    ),
    "Number {} of the true pictures is {} × {} and its result {} × {}: bring it to that with s2i.open_sketch(picture, "
    "size=…).": (
        "Nummer {0} der wahren Bilder hat {1} × {2} Pixel und das Ergebnis dazu {3} × {4}: mit "
        "s2i.open_sketch(picture, size=…) auf dessen Größe bringen."
    ),
    "{} for {} results of {} {}: give one for each sketch, in order of appearance, or one for each result.": (
        "{0} für {1} Ergebnisse zu {2} {3}: für jede Skizze eines, in der Reihenfolge ihres Auftretens, oder für jedes "
        "Ergebnis eines angeben."
    ),
    "This is no list of pictures ({}): give the true pictures in a list.": (
        "Das ist keine Liste von Bildern ({0}): die wahren Bilder in einer Liste angeben."
    ),
    "Number {} of the true pictures: {}": "Nummer {0} der wahren Bilder: {1}",
    "The pictures have different sizes ({} × {} and {} × {}): bring one to the other's with s2i.open_sketch(picture, "
    "size=…).": (
        "Die Bilder haben verschiedene Größen ({0} × {1} und {2} × {3}): eines mit s2i.open_sketch(picture, size=…) "
        "auf die des anderen bringen."
    ),
    "The pictures are {} × {}: give at least {} pixels on the shorter side.": (
        "Die Bilder haben {0} × {1} Pixel: mindestens {2} Pixel auf der kürzeren Seite angeben."
    ),
    "{} pictures and {} prompts were given: give one prompt for each.": (
        "{0} Bilder und {1} Prompts sind angegeben: zu jedem Bild einen Prompt angeben."
    ),
    "{} is not one of the prompts to choose from, which are texts: add it.": (
        "{0} ist keiner der Prompts, die zur Wahl stehen und Texte sind: ihn hinzufügen."
    ),
    "The prompt {} says nothing that a picture could match: give words.": (
        "Der Prompt {0} sagt nichts, dem ein Bild entsprechen könnte: Wörter angeben."
    ),
    "Features of shapes {} and {} cannot be compared: give (m, d) and (n, d) with m and n at least 2.": (
        "Merkmale der Formen {0} und {1} können nicht verglichen werden: (m, d) und (n, d) mit m und n von mindestens "
        "2 angeben."
    ),
    "{} real pictures were asked for: there are {}.": "{0} echte Bilder sind verlangt: es gibt {1}.",
    "There is no picture to judge: give at least one.": "Es gibt kein Bild zu bewerten: mindestens eines angeben.",
    # votes
    "{} is no text: save it as CSV in UTF-8.": "{0} ist kein Text: als CSV in UTF-8 speichern.",
    "{} is no file of votes: it has no column {}.": "{0} ist keine Datei mit Stimmen: die Spalte {1} fehlt.",
    "{}: {} is empty: the file was cut off or changed, ask for it again.": (
        "{0}: {1} ist leer: die Datei wurde abgeschnitten oder verändert, noch einmal um sie bitten."
    ),
    "{}: the vote is {}: it must be left, right or tie.": (
        "{0}: die Stimme ist {1}: sie muss left, right oder tie sein."
    ),
    "{}: left and right have the same settings, so the vote says nothing: delete the line.": (
        "{0}: links und rechts haben dieselben Einstellungen, also sagt die Stimme nichts: die Zeile löschen."
    ),
    "{}: seconds is {}: it must be a number, 0 or more.": (
        "{0}: seconds ist {1}: es muss eine Zahl von mindestens 0 sein."
    ),
    "There is no file of votes: give the names of the CSV files.": (
        "Es gibt keine Datei mit Stimmen: die Namen der CSV-Dateien angeben."
    ),
    "There is no vote yet: nothing can be ranked.": "Es gibt noch keine Stimme: eine Rangfolge ist nicht möglich.",
    "No vote is about {}: choose one of {}.": "Keine Stimme betrifft {0}: eines von {1} wählen.",
    "There is nothing to compare: give at least two results of one sketch with different settings and pictures.": (
        "Es gibt nichts zu vergleichen: mindestens zwei Ergebnisse einer Skizze mit verschiedenen Einstellungen und "
        "Bildern angeben."
    ),
    "The rater is {}: give a name, or anything that tells you from others.": (
        "rater ist {0}: einen Namen angeben oder etwas anderes, das von anderen unterscheidet."
    ),
    "votes is {}: give how many pairs you want to see, 1 or more.": (
        "votes ist {0}: angeben, wie viele Paare zu sehen sein sollen, 1 oder mehr."
    ),
    "The seed is {}: give a whole number.": "Der Seed ist {0}: eine ganze Zahl angeben.",
    "{} does not end in .csv: votes are a table.": "{0} endet nicht auf .csv: Stimmen sind eine Tabelle.",
    "The vote is {}: use left, right or tie.": "Die Stimme ist {0}: left, right oder tie verwenden.",
    "Every pair has its vote: undo one, or make a new rating.": (
        "Jedes Paar hat seine Stimme: eine zurücknehmen oder neu bewerten."
    ),
    "{} holds votes of {}: give another path, or rater= with that name.": (
        "{0} enthält Stimmen von {1}: einen anderen Pfad oder rater= mit diesem Namen angeben."
    ),
    "{} holds {} votes, more than the {} asked for: give more votes= or another path.": (
        "{0} enthält {1} Stimmen, mehr als die verlangten {2}: ein größeres votes= oder einen anderen Pfad angeben."
    ),
    "{} holds votes on other pictures or in another order: give another path.": (
        "{0} enthält Stimmen zu anderen Bildern oder in anderer Reihenfolge: einen anderen Pfad angeben."
    ),
    # the pad and its drawings
    "A pad cannot be called {}: use up to 60 letters, digits, spaces, - and _.": (
        "Ein Zeichenblock kann nicht {0} heißen: bis zu 60 Buchstaben, Ziffern, Leerzeichen, - und _ verwenden."
    ),
    "No sketch is called {}: s2i.sketches() lists them, for instance {}.": (
        "Keine Skizze heißt {0}: s2i.sketches() nennt alle, zum Beispiel {1}."
    ),
    "{} is no text: choose a file that a pad saved.": (
        "{0} ist kein Text: eine von einem Zeichenblock gespeicherte Datei wählen."
    ),
    "{} is no text: give a JSON or SVG file that a pad saved.": (
        "{0} ist kein Text: eine JSON- oder SVG-Datei angeben, die ein Zeichenblock gespeichert hat."
    ),
    "{} is no JSON: give a file that a pad saved.": (
        "{0} ist kein JSON: eine von einem Zeichenblock gespeicherte Datei angeben."
    ),
    "{} is too large for a drawing: give a file that a pad saved.": (
        "{0} ist zu groß für eine Zeichnung: eine von einem Zeichenblock gespeicherte Datei angeben."
    ),
    "{} ends in none of .json, .svg and .png: these are what a drawing is saved as.": (
        "{0} endet weder auf .json noch auf .svg oder .png: so wird eine Zeichnung gespeichert."
    ),
    "The SVG cannot be read ({}): give one that a pad saved.": (
        "Das SVG kann nicht gelesen werden ({0}): eines angeben, das ein Zeichenblock gespeichert hat."
    ),
    "This is no drawing of s2i_teach's pad: give a JSON or SVG file that a pad saved.": (
        "Das ist keine Zeichnung des Zeichenblocks von s2i_teach: eine JSON- oder SVG-Datei angeben, die er "
        "gespeichert hat."
    ),
    "A page of {} × {} cannot be drawn on: give sides from 16 to 4096.": (
        "Auf einem Blatt von {0} × {1} kann nicht gezeichnet werden: Seiten von 16 bis 4096 angeben."
    ),
    "The drawing is damaged ({}): save it from the pad again.": (
        "Die Zeichnung ist beschädigt ({0}): noch einmal aus dem Zeichenblock speichern."
    ),
    "The drawing is damaged (done is {} of {}): save it from the pad again.": (
        "Die Zeichnung ist beschädigt (done ist {0} von {1}): noch einmal aus dem Zeichenblock speichern."
    ),
    "The drawing is damaged (operation {}: {}): save it from the pad again.": (
        "Die Zeichnung ist beschädigt (Vorgang {0}: {1}): noch einmal aus dem Zeichenblock speichern."
    ),
    "The picture in the drawing is damaged: load it into the pad again.": (
        "Das Bild in der Zeichnung ist beschädigt: noch einmal in den Zeichenblock laden."
    ),
    # the studio and the playground
    "Prompt and style must be text.": "Prompt und Stil müssen Text sein.",
    "{} of {} steps cannot run: choose another strength.": (
        "{0} von {1} Schritten können nicht laufen: eine andere Stärke wählen."
    ),
    "This picture is no longer in the history: choose another one.": (
        "Dieses Bild ist nicht mehr im Verlauf: ein anderes wählen."
    ),
    "There is no picture yet: draw something first.": "Es gibt noch kein Bild: zuerst etwas zeichnen.",
    "The {} {} is not there: use one of {}.": "{0} {1} gibt es nicht: eines von {2} verwenden.",
    "{} is {}: give a whole number from {} to {}.": "{0} ist {1}: eine ganze Zahl von {2} bis {3} angeben.",
    "{} must be a function of ({}): yours takes {}.": "{0} muss eine Funktion von ({1}) sein: diese nimmt {2}.",
    "step must be a function of (x_t, eps, a, a_prev) or of (x_t, eps, a, a_prev, noise): yours takes {}.": (
        "step muss eine Funktion von (x_t, eps, a, a_prev) oder von (x_t, eps, a, a_prev, noise) sein: diese nimmt {0}."
    ),
    "{} is a {}: give the function itself, without calling it.": (
        "{0} ist vom Typ {1}: die Funktion selbst angeben, ohne sie aufzurufen."
    ),
    "A {} is no data: give points (N, 2) or the name of a shape.": (
        "Ein Wert vom Typ {0} taugt nicht als Daten: Punkte (N, 2) oder den Namen einer Form angeben."
    ),
    "Data of shape {} cannot be shown: give 2 to 2000 points, (N, 2).": (
        "Daten der Form {0} können nicht gezeigt werden: 2 bis 2000 Punkte (N, 2) angeben."
    ),
    "Some of the data lie beyond ±100 or are not finite: points about 0.8 wide are seen best.": (
        "Manche Daten liegen jenseits von ±100 oder sind nicht endlich: am besten zu sehen sind Punkte, die etwa 0.8 "
        "breit streuen."
    ),
    "Give alt, a sentence that says what is to be seen, for readers who do not see the picture.": (
        "alt angeben: einen Satz, der sagt, was zu sehen ist, für alle, die das Bild nicht sehen."
    ),
    "A {} cannot be shown: give a picture, a figure or a result.": (
        "Ein Objekt vom Typ {0} kann nicht gezeigt werden: ein Bild, eine Abbildung oder ein Ergebnis angeben."
    ),
    "The language {} is not there: use one of {}.": "Die Sprache {0} gibt es nicht: eine von {1} verwenden.",
}

_GERMAN_PARTS = {
    # what a sentence speaks of
    "The picture": "Das Bild",
    "The array": "Das Array",
    "The tensor": "Der Tensor",
    "These bytes": "Der Inhalt",
    "This file object": "Dieses Dateiobjekt",
    "{}, line {}": "{0}, Zeile {1}",
    "prompt": "Prompt",
    "negative prompt": "negativen Prompt",
    "The miniature": "Die Miniatur",
    "The miniature in few steps": "Die Miniatur in wenigen Schritten",
    "The miniature, distilled to four steps": "Die Miniatur, auf vier Schritte destilliert",
    "The miniature, led by the sketch, distilled to four steps": (
        "Die Miniatur, von der Skizze geführt, auf vier Schritte destilliert"
    ),
    "The miniature, led by the sketch": "Die Miniatur, von der Skizze geführt",
    "The miniature, led by the sketch, fine-tuned by a reward for kept lines": (
        "Die Miniatur, von der Skizze geführt, feinjustiert durch eine Belohnung für erhaltene Linien"
    ),
    "The miniature, led by the sketch, in few steps": ("Die Miniatur, von der Skizze geführt, in wenigen Schritten"),
    # what is done where memory is short
    "pictures are decoded one after the other": "werden Bilder nacheinander dekodiert",
    "each part is on the GPU only while it works": "jeder Teil ist nur auf der GPU, solange er rechnet",
    "each layer is on the GPU only while it works, which is slow": (
        "jede Schicht ist nur auf der GPU, solange sie rechnet, und das ist langsam"
    ),
    # models
    "SD-Turbo, one to four steps": "SD-Turbo, ein bis vier Schritte",
    "Stable Diffusion 1.5 in four steps": "Stable Diffusion 1.5 in vier Schritten",
    "Stable Diffusion 1.5 in eight steps": "Stable Diffusion 1.5 in acht Schritten",
    "Stable Diffusion 1.5, led by a scribble": "Stable Diffusion 1.5, von einer Kritzelei geführt",
    "Stable Diffusion 1.5, led by clean lines": "Stable Diffusion 1.5, von sauberen Linien geführt",
    "Stable Diffusion XL in four steps": "Stable Diffusion XL in vier Schritten",
    "SDXL-Turbo, one to four steps": "SDXL-Turbo, ein bis vier Schritte",
    "Stable Diffusion XL, led by a scribble": "Stable Diffusion XL, von einer Kritzelei geführt",
    "FLUX.2 [klein] 4B, which edits the sketch in four steps": "FLUX.2 [klein] 4B, das die Skizze in vier Schritten bearbeitet",
    "CNN: the mean of what could be": "CNN: der Mittelwert von allem, was es sein könnte",
    "VAE: a code for what the sketch leaves open": "VAE: ein Code für das, was die Skizze offen lässt",
    "GAN: pix2pix, judged patch by patch": "GAN: pix2pix, Stück für Stück beurteilt",
    "CycleGAN: learned without pairs": "CycleGAN: ohne Paare gelernt",
    "GAN: StyleGAN2 with a sketch encoder": "GAN: StyleGAN2 mit einem Encoder für Skizzen",
    "Reinforcement learning: an agent that paints": "Bestärkendes Lernen: ein Agent, der malt",
    "Pixel diffusion: GLIDE's cascade": "Diffusion in Pixeln: die Kaskade von GLIDE",
    "Pixel diffusion: unCLIP, by way of an image embedding": "Diffusion in Pixeln: unCLIP, über ein Bild-Embedding",
    # what is wrong with it
    "a number": "eine Zahl",
    "a whole number": "eine ganze Zahl",
    "no value": "keinen Wert",
    "{} among its values": "{0} unter den Werten",
    "has no prompt": "hat keinen Prompt",
    "it has {}": "es enthält {0}",
    "it holds nothing": "es enthält nichts",
    "has the unknown entry {}": "hat den unbekannten Eintrag {0}",
    "There are {} true pictures": "Es gibt {0} wahre Bilder",
    "There is 1 true picture": "Es gibt 1 wahres Bild",
    "sketch": "Skizze",
    "sketches": "Skizzen",
    "the tool {} is not known": "das Werkzeug {0} gibt es nicht",
    "size or points are no numbers": "Größe oder Punkte sind keine Zahlen",
    "each point is x, y and pressure": "jeder Punkt ist x, y und Druck",
    "a point is not on any page": "ein Punkt liegt auf keinem Blatt",
    "size must be above 0 and pressure from 0 to 1": "die Größe muss über 0 und der Druck von 0 bis 1 sein",
    # what to do
    ', or use a model such as "{}"': ', oder ein Modell wie "{0}" verwenden',
    ' The miniature needs no network: load_pipeline("mini").': (
        ' Die Miniatur braucht kein Netzwerk: load_pipeline("mini").'
    ),
    "StableDiffusionImg2ImgPipeline or StableDiffusionControlNetImg2ImgPipeline or StableDiffusionXLImg2ImgPipeline or "
    "StableDiffusionXLControlNetImg2ImgPipeline or Flux2KleinPipeline": (
        "StableDiffusionImg2ImgPipeline oder StableDiffusionControlNetImg2ImgPipeline oder StableDiffusionXLImg2ImgPipeline oder "
        "StableDiffusionXLControlNetImg2ImgPipeline oder Flux2KleinPipeline"
    ),
    # what an operating system says
    "No such file or directory": "Datei oder Ordner nicht gefunden",
    "Permission denied": "keine Berechtigung",
    "Operation not permitted": "Vorgang nicht erlaubt",
    "Is a directory": "es ist ein Ordner",
    "Not a directory": "es ist kein Ordner",
    "File exists": "die Datei gibt es schon",
    "File name too long": "der Dateiname ist zu lang",
    "No space left on device": "kein Platz mehr auf dem Datenträger",
    "Read-only file system": "hier kann nur gelesen werden",
    "Input/output error": "Fehler beim Lesen oder Schreiben",
}

ERRORS = {"de": Sentences(_GERMAN, _GERMAN_PARTS)}
"""Language → its sentences; English ones are shown as they are."""


def in_language(sentence: str, code: str) -> str:
    """An error's sentence, or a note on a result, in a language; as it is where the table does not know it."""
    return ERRORS[code](sentence) if code in ERRORS else sentence


def part_in_language(part: str, code: str) -> str:
    """The same of words that stand within a sentence, such as a model's title."""
    return ERRORS[code].parts.get(part, part) if code in ERRORS else part
