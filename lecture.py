"""The lecture in one program: python lecture.py --epochs 1."""

import argparse

import keras
from keras import layers

NAMES = """
apple aquarium_fish baby bear beaver bed bee beetle bicycle bottle bowl
boy bridge bus butterfly camel can castle caterpillar cattle chair
chimpanzee clock cloud cockroach couch crab crocodile cup dinosaur
dolphin elephant flatfish forest fox girl hamster house kangaroo
keyboard lamp lawn_mower leopard lion lizard lobster man maple_tree
motorcycle mountain mouse mushroom oak_tree orange orchid otter
palm_tree pear pickup_truck pine_tree plain plate poppy porcupine
possum rabbit raccoon ray road rocket rose sea seal shark shrew skunk
skyscraper snail snake spider squirrel streetcar sunflower sweet_pepper
table tank telephone television tiger tractor train trout tulip turtle
wardrobe whale willow_tree wolf woman worm
""".split()

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--epochs", type=int, default=30)
parser.add_argument("--image", help="a photo to name at the end")
options = parser.parse_args()
if options.image:
    crop = {"keep_aspect_ratio": True, "interpolation": "box"}
    photo = keras.utils.load_img(options.image, target_size=(32, 32), **crop)

(x_train, y_train), (x_test, y_test) = keras.datasets.cifar100.load_data()
y_train = keras.utils.to_categorical(y_train, num_classes=100)
y_test = keras.utils.to_categorical(y_test, num_classes=100)

keras.utils.set_random_seed(425)
model = keras.Sequential([keras.Input(shape=(32, 32, 3))])
model.add(layers.Rescaling(1 / 255))
for filters in (32, 64, 128, 256):
    model.add(layers.Conv2D(filters, 3, padding="same", activation="relu"))
    model.add(layers.MaxPooling2D(2))
model.add(layers.Flatten())
model.add(layers.Dropout(0.5))
model.add(layers.Dense(512, activation="relu"))
model.add(layers.Dense(100, activation="softmax"))

model.compile(
    loss="categorical_crossentropy",
    optimizer="rmsprop",
    metrics=["accuracy"],
)
model.fit(
    x_train,
    y_train,
    batch_size=128,
    epochs=options.epochs,
    validation_split=0.2,
)
loss, accuracy = model.evaluate(x_test, y_test)
print(f"Test accuracy: {accuracy:.1%}")

model.save("lecture.keras")
model = keras.saving.load_model("lecture.keras")
image = keras.utils.img_to_array(photo) if options.image else x_test[0]
[probabilities] = model.predict(image[None])  # a batch of one image
for label in probabilities.argsort()[::-1][:5]:
    print(f"{NAMES[label]:15}{probabilities[label]:.0%}")
