import math

from helpers import dtype_policy, load_cifar100, quiet_start

with quiet_start():
    import keras
    from keras import layers

EPOCHS = 5
BATCH_SIZE = 128
VALIDATION_SPLIT = 0.2

x_train, y_train = load_cifar100().train
y_train_one_hot = keras.utils.to_categorical(y_train, num_classes=100)
kept = round(len(x_train) * (1 - VALIDATION_SPLIT))
STEPS = EPOCHS * math.ceil(kept / BATCH_SIZE)

def augmentation():
    return []


def block(filters, size=3, strides=1):
    return [
        layers.Conv2D(
            filters,
            size,
            strides=strides,
            padding="same",
            activation="relu",
        ),
        layers.MaxPooling2D(2),
    ]


def body():
    return [*block(32), *block(64), *block(128), *block(256)]

def head():
    return [
        layers.Flatten(),
        layers.Dropout(0.5),
        layers.Dense(512, activation="relu"),
    ]


def loss():
    return keras.losses.CategoricalCrossentropy()


def optimizer():
    return keras.optimizers.RMSprop()

def build_model():
    return keras.Sequential(
        [
            keras.Input(shape=(32, 32, 3)),
            *augmentation(),
            layers.Rescaling(1 / 255),
            *body(),
            *head(),
            layers.Dense(100, activation="softmax"),
        ]
    )

def body():
    return [*block(32, size=4, strides=2), *block(96), *block(192)]

def head():
    return [layers.GlobalMaxPooling2D()]

def block(filters, size=3, strides=1):
    return [
        layers.Conv2D(
            filters,
            size,
            strides=strides,
            padding="same",
            use_bias=False,
        ),
        layers.MaxPooling2D(2),
        layers.BatchNormalization(),
        layers.ReLU(),
    ]

def learning_rate(peak):
    warmup = STEPS // 5
    return keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=peak / 10,
        warmup_target=peak,
        warmup_steps=warmup,
        decay_steps=STEPS - warmup,
    )


def optimizer():
    return keras.optimizers.RMSprop(learning_rate(peak=0.001))

def optimizer():
    return keras.optimizers.SGD(
        learning_rate(peak=0.3), momentum=0.9, nesterov=True
    )

def optimizer():
    return keras.optimizers.SGD(
        learning_rate(peak=0.3),
        momentum=0.9,
        nesterov=True,
        weight_decay=0.001,
    )

def augmentation():
    return [layers.RandomFlip("horizontal")]

def loss():
    return keras.losses.CategoricalCrossentropy(label_smoothing=0.1)

def augmentation():
    return [
        layers.RandomFlip("horizontal"),
        layers.RandomTranslation(
            2 / 32, 2 / 32, fill_mode="reflect", interpolation="nearest"
        ),
    ]

def head():
    return [layers.GlobalAveragePooling2D()]

keras.utils.set_random_seed(SEED)
model = build_model()
model.compile(loss=loss(), optimizer=optimizer(), metrics=["accuracy"])

history = model.fit(
    x_train,
    y_train_one_hot,
    batch_size=BATCH_SIZE,
    epochs=EPOCHS,
    validation_split=VALIDATION_SPLIT,
    callbacks=callbacks,
)
