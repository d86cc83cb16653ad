from helpers import quiet_start

with quiet_start():
    import keras
    from keras import layers

def build_model():
    return keras.Sequential(
        [
            keras.Input(shape=(32, 32, 3)),
            layers.Rescaling(1 / 255),
            layers.Conv2D(32, 3, padding="same", activation="relu"),
            layers.MaxPooling2D(2),
            layers.Conv2D(64, 3, padding="same", activation="relu"),
            layers.MaxPooling2D(2),
            layers.Conv2D(128, 3, padding="same", activation="relu"),
            layers.MaxPooling2D(2),
            layers.Conv2D(256, 3, padding="same", activation="relu"),
            layers.MaxPooling2D(2),
            layers.Flatten(),
            layers.Dropout(0.5),
            layers.Dense(512, activation="relu"),
            layers.Dense(100, activation="softmax"),
        ],
        name="cifar100_cnn",
    )

from helpers import load_cifar100, quiet_start, run_cells

with quiet_start():
    import keras

SEED = 425
BATCH_SIZE = 128
VALIDATION_SPLIT = 0.2

cifar = load_cifar100()
x_train, y_train = cifar.train
y_train_one_hot = keras.utils.to_categorical(y_train, num_classes=100)

keras.utils.set_random_seed(SEED)
build_model = run_cells("02-model.ipynb", "network")["build_model"]
model = build_model()
model.compile(
    loss="categorical_crossentropy",
    optimizer="rmsprop",
    metrics=["accuracy"],
)

history = model.fit(
    x_train,
    y_train_one_hot,
    batch_size=BATCH_SIZE,
    epochs=epochs,
    validation_split=VALIDATION_SPLIT,
    callbacks=callbacks,
)
